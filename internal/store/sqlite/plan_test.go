package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// whole are the queries that may read a whole table or sort. The list may only
// shrink.
var whole = map[string][]string{
	"plane": {
		"GetFirstOrganization",     // at the command line
		"ListLinks",                // one per region
		"ListIssuers",              // a handful, as the next two
		"ListSigningKeys",          //
		"DeleteExpiredSigningKeys", //
		"ListOutages",              // of a week, as the next
		"DeleteOutagesOutside",     //
		"ListUnseenOrganizations",  // at the end of a region's snapshot, as the next
		"ListMissingOrganizations", //
		"ListOrganizationsIn",      // when the operator changes who may use a region
	},
	"region": {
		"CountObjects",       // all of them, by the operator's wish
		"GetPruneFloor",      // as many as are kept
		"ListAllFilesystems", // all of them, when the region looks at everything
		"ListHosts",          // the region's own, as the next five
		"ListGPUs",           //
		"WithdrawHosts",      //
		"WithdrawGPUs",       //
		"ForgetHosts",        //
		"ForgetGPUs",         //
	},
}

// TestPlans holds every query to an index, so that none gets slower as other
// organizations' fleets grow.
func TestPlans(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, err := OpenPlane(t.Context(), filepath.Join(dir, "plane.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r, err := OpenRegion(t.Context(), filepath.Join(dir, "region.db"), func() cloud.ID { return "incarnation" })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	checkPlans(t, p.db.current.Load().read.DB, "plane")
	checkPlans(t, r.db.current.Load().read.DB, "region")
}

var (
	parameter = regexp.MustCompile(`@\w+`)
	embedded  = regexp.MustCompile(`sqlc\.embed\((\w+)\)`)
	costly    = regexp.MustCompile(`TEMP B-TREE|SCAN \w+( |$)`)
	// Tables of one row.
	small = regexp.MustCompile(`SCAN (plane|p|g|grant_stream|identity|daemon|CONSTANT ROW)( |$)`)
)

func checkPlans(t *testing.T, db *sql.DB, schema string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "queries", schema, "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no queries (%v)", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, query := range strings.Split(string(text), "-- name: ")[1:] {
			name, body, _ := strings.Cut(query, " ")
			_, body, _ = strings.Cut(body, "\n")
			body = embedded.ReplaceAllString(parameter.ReplaceAllString(body, "NULL"), "$1.*")
			for _, step := range explain(t.Context(), t, db, body) {
				bad := costly.MatchString(step) && !small.MatchString(step)
				if bad && !slices.Contains(whole[schema], name) {
					t.Errorf("%s: %s", name, step)
				}
			}
		}
	}
}

func explain(ctx context.Context, t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query)
	if err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// TestStandingLooksEverythingUpOnce reads, on every request's way, what is
// revoked once and not for each organization.
func TestStandingLooksEverythingUpOnce(t *testing.T) {
	t.Parallel()
	p, err := OpenPlane(t.Context(), filepath.Join(t.TempDir(), "plane.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	text, err := os.ReadFile(filepath.Join("..", "queries", "plane", "user.sql"))
	if err != nil {
		t.Fatal(err)
	}
	_, query, found := strings.Cut(string(text), "-- name: GetStanding :many")
	if !found {
		t.Fatal("there is no query of that name")
	}
	plan := strings.Join(explain(t.Context(), t, p.db.current.Load().read.DB, parameter.ReplaceAllString(query, "'x'")), "\n")
	if strings.Contains(plan, "CORRELATED") || !strings.Contains(plan, "SEARCH t USING COVERING INDEX") {
		t.Errorf("the plan is\n%s", plan)
	}
}
