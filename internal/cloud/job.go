package cloud

import "time"

// Job is work that a plane does by itself, time and again. Of all processes of
// a plane one does it each time.
type Job struct {
	Name  string
	Every time.Duration
}

// Housekeeping forgets what is over. Nobody reads it any more.
var Housekeeping = Job{Name: "housekeeping", Every: time.Hour}
