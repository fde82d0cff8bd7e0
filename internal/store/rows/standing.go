package rows

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

// Standing reads what Store.Standing tells, by one statement.
func Standing(ctx context.Context, db DB, user cloud.ID) (cloud.Standing, error) {
	rows, err := planedb.New(db).GetStanding(ctx, string(user))
	if err != nil {
		return cloud.Standing{}, err
	}
	if len(rows) == 0 {
		return cloud.Standing{}, cloud.NotFound("there is no user of that id")
	}
	first := rows[0]
	s := cloud.Standing{
		User: cloud.User{
			ID:          user,
			Email:       cloud.Email(first.Email),
			Name:        first.Name,
			Kind:        cloud.UserKind(first.Kind),
			CreatedAt:   instant(first.CreatedAt),
			SuspendedAt: instant(first.SuspendedAt),
		},
		RevokedTokens:  revokedTokens(first.RevokedTokens),
		HealthRevision: first.HealthRevision,
	}
	if first.OrganizationID == "" {
		return s, nil
	}
	s.Relations = make([]cloud.Relation, len(rows))
	for i, row := range rows {
		s.Relations[i] = cloud.Relation{
			OrganizationID: cloud.ID(row.OrganizationID),
			Role:           cloud.Role(row.Role),
			FleetRevision:  row.FleetRevision,
			Suspended:      row.OrganizationSuspendedAt != 0,
		}
	}
	return s, nil
}

// tokenSeparator is between the ids of tokens that are read as one text; no id
// has one in it.
const tokenSeparator = " "

func revokedTokens(joined string) []string {
	if joined == "" {
		return nil
	}
	return slices.Sorted(strings.SplitSeq(joined, tokenSeparator))
}
