package cloud

import "time"

// InvitationTTL is how long an invitation can be accepted.
const InvitationTTL = 7 * 24 * time.Hour

// Invitation is an open offer of membership to an address.
type Invitation struct {
	ID             ID
	OrganizationID ID
	Email          Email
	Role           Role
	InvitedBy      ID
	CreatedAt      time.Time
	ExpiresAt      time.Time
	Generation     int64 // of its link; only the latest one is good

	// What became of the mail with the latest link; "" where none was sent.
	Mail      MailState
	MailError string
}

// ParseInvitationRole reads the role of an invitation: the members' roles,
// "member" as another spelling of editor (the contract's prose uses it), and
// viewer where none is named.
func ParseInvitationRole(s string) (Role, error) {
	switch s {
	case "":
		return RoleViewer, nil
	case "member":
		return RoleEditor, nil
	default:
		return ParseRole(s)
	}
}
