package rows

import (
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoDeviceCode = cloud.NotFound("no device waits with this code; it may have expired")

func deviceCode(row planedb.DeviceCode) cloud.DeviceCode {
	return cloud.DeviceCode{
		Hash:      cloud.SecretHash(row.Hash),
		UserCode:  row.UserCode,
		ClientID:  row.ClientID,
		Scopes:    strings.Fields(row.Scopes),
		State:     cloud.DeviceState(row.State),
		UserID:    cloud.ID(row.UserID),
		AuthTime:  instant(row.AuthTime),
		CreatedAt: instant(row.CreatedAt),
		ExpiresAt: instant(row.ExpiresAt),
	}
}

// DeviceCode implements cloud.Reader.
func (r Reader) DeviceCode(hash cloud.SecretHash, now time.Time) (cloud.DeviceCode, error) {
	row, err := r.q.GetDeviceCode(r.ctx, planedb.GetDeviceCodeParams{Hash: string(hash), Now: micros(now)})
	return deviceCode(row), absent(err, errNoDeviceCode)
}

// DeviceCodeByUserCode implements cloud.Reader.
func (r Reader) DeviceCodeByUserCode(code string, now time.Time) (cloud.DeviceCode, error) {
	row, err := r.q.GetDeviceCodeByUserCode(r.ctx, planedb.GetDeviceCodeByUserCodeParams{UserCode: code, Now: micros(now)})
	return deviceCode(row), absent(err, errNoDeviceCode)
}

// CreateDeviceCode implements cloud.Writer.
func (w Writer) CreateDeviceCode(d cloud.DeviceCode) error {
	n, err := w.q.CreateDeviceCode(w.ctx, planedb.CreateDeviceCodeParams{
		Hash:      string(d.Hash),
		UserCode:  d.UserCode,
		ClientID:  d.ClientID,
		Scopes:    strings.Join(d.Scopes, " "),
		State:     string(d.State),
		UserID:    string(d.UserID),
		AuthTime:  micros(d.AuthTime),
		CreatedAt: micros(d.CreatedAt),
		ExpiresAt: micros(d.ExpiresAt),
	})
	return changed(n, err, cloud.Conflict("another device waits with this code"))
}

// SetDeviceCode implements cloud.Writer.
func (w Writer) SetDeviceCode(hash cloud.SecretHash, from, to cloud.DeviceState, user cloud.ID, at time.Time) error {
	n, err := w.q.SetDeviceCode(w.ctx, planedb.SetDeviceCodeParams{
		NextState:   string(to),
		UserID:      string(user),
		AuthTime:    micros(at),
		Hash:        string(hash),
		FormerState: string(from),
	})
	return settled(n, err, errNoDeviceCode, cloud.Conflict("this device's request is not %s", string(from)),
		func() (bool, error) { return w.q.DeviceCodeExists(w.ctx, string(hash)) })
}

// DeleteDeviceCodesOf implements cloud.Writer.
func (w Writer) DeleteDeviceCodesOf(user cloud.ID) error {
	return w.q.DeleteDeviceCodesOf(w.ctx, string(user))
}
