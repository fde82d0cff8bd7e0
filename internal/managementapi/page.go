package managementapi

import (
	"context"
	"encoding/base64"
	"maps"
	"net/url"
	"strconv"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// pageOf reads the parameters limit and cursor of a list that is ordered in
// some way; without either the page is the whole list.
func pageOf(limit *int, cursor *string, isKey order) (cloud.Page, error) {
	var page cloud.Page
	if limit != nil {
		page.Limit = *limit
	}
	if cursor != nil {
		after, err := base64.RawURLEncoding.DecodeString(*cursor)
		if err != nil || !isKey(string(after)) {
			return page, cloud.Invalid("cursor is not one that a Link header gave; begin again without it")
		}
		page.After = string(after)
	}
	return page, nil
}

// order tells the keys by which a list is ordered, and with them the cursors
// that it can have given.
type order func(key string) bool

func byID(key string) bool {
	id, err := cloud.ParseID(key)
	return err == nil && string(id) == key
}

func byName(key string) bool { return cloud.CheckKeyName(key) == nil }

// nextLink is the Link header (RFC 8288) to the page after one of a list under a
// filter, or "".
func nextLink(ctx context.Context, page cloud.Page, filter url.Values, next string) string {
	if next == "" {
		return ""
	}
	query := maps.Clone(filter)
	if query == nil {
		query = url.Values{}
	}
	query.Set("cursor", base64.RawURLEncoding.EncodeToString([]byte(next)))
	query.Set("limit", strconv.Itoa(page.Limit))
	return "<" + exchangeOf(ctx).path + "?" + query.Encode() + `>; rel="next"`
}

// answerList answers with a list, or a page of one; never null.
func answerList[T, W any](ctx context.Context, page cloud.Page, l control.Listing[T], wire func(T) W) (answer, error) {
	return answerFiltered(ctx, page, nil, l, wire)
}

// answerFiltered is answerList for a list under a filter, which the link to the
// next page repeats.
func answerFiltered[T, W any](ctx context.Context, page cloud.Page, filter url.Values, l control.Listing[T], wire func(T) W) (answer, error) {
	return answerWith(rest.Translate(l.Items, wire), nextLink(ctx, page, filter, l.Next))
}
