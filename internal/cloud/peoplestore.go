package cloud

import "time"

// PeopleReader is the part of Reader about how people and programs get in. What
// has expired at now is as good as gone.
type PeopleReader interface {
	Identity(issuer, subject string) (Identity, error)
	Identities(user ID) ([]Identity, error) // by issuer and subject
	Session(hash SecretHash, now time.Time) (Session, error)
	SignIn(hash SecretHash, now time.Time) (SignIn, error)

	// InvitationByID finds one whatever its organization is; the next lists those
	// to any of the addresses, by id.
	InvitationByID(id ID, now time.Time) (Invitation, error)
	InvitationsTo(emails []Email, now time.Time) ([]Invitation, error)

	// A service account is found by its organization and id, or by the id alone
	// where organization is "".
	ServiceAccount(organization, id ID) (ServiceAccount, error)
	ServiceAccounts(organization ID, page Page) ([]ServiceAccount, error) // by id
	ServiceSecrets(account ID) ([]ServiceSecret, error)                   // oldest first

	// How many there are, for Bounds.
	CountSSHKeys(user ID) (int64, error)
	CountServiceAccounts(organization ID) (int64, error)
	CountInvitations(organization ID, now time.Time) (int64, error)
	CountPersonalTokens(user ID, now time.Time) (int64, error)

	PersonalToken(user, id ID, now time.Time) (PersonalToken, error)
	PersonalTokens(user ID, now time.Time, page Page) ([]PersonalToken, error) // by id
	RevokedTokens(user ID) ([]RevokedToken, error)

	Authorization(id ID, now time.Time) (Authorization, error)
	AuthorizationByCode(hash SecretHash, now time.Time) (Authorization, error) // exchanged ones too
	RefreshToken(hash SecretHash, now time.Time) (RefreshToken, error)         // used ones too
	DeviceCode(hash SecretHash, now time.Time) (DeviceCode, error)
	DeviceCodeByUserCode(code string, now time.Time) (DeviceCode, error)

	// CountMails counts those of a kind to an address, made at or after an instant.
	CountMails(kind MailKind, recipient Email, since time.Time) (int64, error)
	CountMailsBy(sender ID, since time.Time) (int64, error) // the same, of all kinds
}

// PeopleWriter is the part of Writer about how people and programs get in.
type PeopleWriter interface {
	UpdateOrganization(id ID, displayName string) error
	// SuspendOrganization and SuspendUser take the zero time for an end of it, and
	// touch the grants; they come last, as TouchGrants does.
	SuspendOrganization(id ID, at time.Time) error
	SuspendUser(id ID, at time.Time) error
	// UpdateUser changes name and address; CodeConflict if the address is
	// another's.
	UpdateUser(id ID, name string, email Email) error

	CreateIdentity(i Identity) error // CodeConflict if the issuer's subject has an account
	UseIdentity(issuer, subject string, email Email, at time.Time) error
	DeleteIdentity(issuer, subject string) error

	CreateSession(s Session) error
	DeleteSession(hash SecretHash) error // what is gone already is no error
	DeleteSessions(user ID) error

	CreateSignIn(s SignIn) error
	// CountSignInAttempt notes a wrong code and returns how many there were.
	CountSignInAttempt(hash SecretHash) (int64, error)
	// TakeSignIn removes it: of several takers one gets it.
	TakeSignIn(hash SecretHash, now time.Time) (SignIn, error)

	// CreateServiceAccount makes its user and its membership as well, and
	// DeleteServiceAccount removes those, its keys, secrets and identities. It has
	// nothing else: neither other memberships nor what people sign in to.
	CreateServiceAccount(a ServiceAccount, email Email) error // CodeConflict on its name
	DeleteServiceAccount(organization, id ID) error
	CreateServiceSecret(s ServiceSecret) error // CodeConflict if there are MaxServiceSecrets
	DeleteServiceSecret(account, id ID) error
	UseServiceSecret(id ID, at time.Time) error // kept to within SecretUseGrain

	// LockUser holds the user's row until the end of the transaction, before what
	// is theirs is counted. An organization is locked before its users.
	LockUser(id ID) error
	CreatePersonalToken(t PersonalToken) error
	DeletePersonalToken(user, id ID) error
	// DeletePersonalTokensIn removes those that open an organization, and returns
	// them.
	DeletePersonalTokensIn(organization, user ID) ([]PersonalToken, error)
	// RevokeToken is idempotent, and touches the user's grants. CodeInvalid for a
	// token's id that has a space in it.
	RevokeToken(t RevokedToken) error

	CreateAuthorization(a Authorization) error
	// AgreeAuthorization notes who agreed, and SaveAuthorizationCode the code that
	// the client got for it.
	AgreeAuthorization(id, user ID, at time.Time) error
	SaveAuthorizationCode(id ID, code SecretHash) error
	// ExchangeAuthorization notes the family of tokens that it was exchanged for;
	// CodeConflict if it was exchanged before.
	ExchangeAuthorization(id, family ID) error
	DeleteAuthorization(id ID) error
	// DeleteAuthorizationsOf removes all to which a user agreed, exchanged ones too,
	// and returns what there was. DeleteRefreshTokensOf comes after it: an exchange
	// that is under way may make one more.
	DeleteAuthorizationsOf(user ID) ([]Authorization, error)

	CreateRefreshToken(t RefreshToken) error
	UseRefreshToken(hash SecretHash, at time.Time) error // CodeConflict if it was used before
	// DeleteRefreshTokens removes a family, or all of a user's, and returns what
	// there was.
	DeleteRefreshTokens(family ID) ([]RefreshToken, error)
	DeleteRefreshTokensOf(user ID) ([]RefreshToken, error)

	CreateDeviceCode(d DeviceCode) error // CodeConflict on its user code
	// SetDeviceCode moves it from one state to another, for a user: the first one
	// stays its user. CodeConflict if it is not in that state.
	SetDeviceCode(hash SecretHash, from, to DeviceState, user ID, at time.Time) error
	DeleteDeviceCodesOf(user ID) error // those that the user answered; before DeleteRefreshTokensOf as well

	// HoldRecipient holds an address until the end of the transaction, before the
	// mails to it are counted; it comes after organization and user.
	HoldRecipient(recipient Email, at time.Time) error
	EnqueueMail(m Mail) error
	// LeaseMail counts an attempt of the mail that is due first, and puts it off
	// until an instant; CodeNotFound if none is due at now. Of several that lease
	// at once none gets the same.
	LeaseMail(now, until time.Time) (Mail, error)
	// SettleMail notes what became of an attempt: sent, failed for good, or
	// pending until due. CodeNotFound for one that was sent by another attempt.
	SettleMail(id ID, state MailState, due time.Time, cause string) error

	// DeleteExpired removes sessions, sign-ins, authorizations, codes, tokens and
	// revocations that have expired at now, and mails MailRetention later.
	DeleteExpired(now time.Time) error
	// DeleteAudit removes entries from before an instant, at most limit, and
	// returns how many there were.
	DeleteAudit(before time.Time, limit int) (int64, error)
}
