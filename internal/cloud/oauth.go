package cloud

import "time"

// The lives of what the OAuth 2.0 server gives out.
const (
	AccessTokenTTL   = 15 * time.Minute
	RefreshTokenTTL  = 30 * 24 * time.Hour // from its last use
	AuthorizationTTL = 10 * time.Minute    // until the person has signed in and the client has exchanged the code
	DeviceCodeTTL    = 10 * time.Minute
)

// Authorization is a client's request to act for a person (RFC 6749, 4.1). One
// that was exchanged stays until it expires, so that its code is known when it
// comes again.
type Authorization struct {
	ID         ID
	ClientID   string
	Parameters []byte // JSON; the OAuth server's own
	UserID     ID     // who agreed; "" before that
	AuthTime   time.Time
	CodeHash   SecretHash // "" before there is a code
	Family     ID         // of the tokens that it was exchanged for; "" before that
	CreatedAt  time.Time
	ExpiresAt  time.Time
}

// RefreshToken is one of a family, of which one may be used at a time: each use
// makes the next one, and a second use is a theft that ends the family (RFC
// 9700, 4.14).
type RefreshToken struct {
	Hash       SecretHash
	Family     ID
	UserID     ID
	ClientID   string
	Parameters []byte    // JSON; the OAuth server's own
	TokenID    string    // the jti of the access token that came with it
	TokenEnd   time.Time // when that expires
	AuthTime   time.Time
	CreatedAt  time.Time
	ExpiresAt  time.Time
	UsedAt     time.Time // zero while it may be used
}

// DeviceState is how far the authorization of a device is.
type DeviceState string

// The states of a device's authorization.
const (
	DevicePending   DeviceState = "pending"
	DeviceApproved  DeviceState = "approved"
	DeviceDenied    DeviceState = "denied"
	DeviceExchanged DeviceState = "exchanged" // for tokens, once
)

// DeviceCode is a headless machine's request to act for a person (RFC 8628).
type DeviceCode struct {
	Hash      SecretHash // of the device code
	UserCode  string     // that the person types; in upper case, without a dash
	ClientID  string
	Scopes    []string
	State     DeviceState
	UserID    ID // who approved it; "" before that
	AuthTime  time.Time
	CreatedAt time.Time
	ExpiresAt time.Time
}
