package cloud

import (
	"strings"
	"time"
)

// PersonalToken is a token that a person made for their own programs. It opens
// one organization, and is never able to do more there than its owner.
type PersonalToken struct {
	ID             ID // also the token's jti
	UserID         ID
	OrganizationID ID
	Name           string
	MaxRole        Role // above which it is of no use; "" for its owner's
	CreatedAt      time.Time
	ExpiresAt      time.Time
}

// The bounds of a personal token's life, and of how many a person has.
const (
	MinPersonalTokenTTL = time.Hour
	MaxPersonalTokenTTL = 365 * 24 * time.Hour
	MaxPersonalTokens   = 100
)

// RevokedToken is a token of any kind that is good no more.
type RevokedToken struct {
	UserID    ID
	TokenID   string    // its jti
	ExpiresAt time.Time // when nobody would believe it any more; see Revoked
}

// TokenLeeway is for how long after its end a token may still be believed, since
// clocks differ.
const TokenLeeway = time.Minute

// Revoked is what takes back a token that ends at an instant.
func Revoked(user ID, tokenID string, end time.Time) RevokedToken {
	return RevokedToken{UserID: user, TokenID: tokenID, ExpiresAt: end.Add(TokenLeeway)}
}

// CheckTitle holds for the names that people give to what is theirs: 1 to 100
// printable characters.
func CheckTitle(field, title string) error {
	if n := len([]rune(title)); n < 1 || n > 100 || !printable(title) || strings.TrimSpace(title) != title {
		return Invalid("%s must be 1 to 100 printable characters that neither begin nor end with a space; got %s", field, quoted(title))
	}
	return nil
}
