package cloud

// Page is a part of a list that is ordered by a unique key.
type Page struct {
	After string // the last key of the page before; "" begins
	Limit int    // at most so many; 0 means all
}

// MaxPage is the largest limit that a caller may ask for.
const MaxPage = 1000
