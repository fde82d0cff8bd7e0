package cloud

import "time"

// Member is a user in an organization.
type Member struct {
	OrganizationID ID
	User           User
	Role           Role
	JoinedAt       time.Time
}

// CheckLastAdmin refuses a change after which the organization would have no
// admin: admins counts them before it, and next is the member's role after it
// ("" when the member goes).
func CheckLastAdmin(m Member, next Role, admins int64) error {
	if m.Role != RoleAdmin || next == RoleAdmin || admins > 1 {
		return nil
	}
	return Conflict("this is the organization's last admin; make another member admin first")
}
