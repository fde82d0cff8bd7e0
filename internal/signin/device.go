package signin

import (
	"net/http"
	"net/url"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// device is what the page of a device shows; without a Device, the form for its
// code.
type device struct {
	Code   string
	Device *Device
}

func (s *Server) showDevice(w http.ResponseWriter, r *http.Request) error {
	code := r.FormValue("user_code")
	v, err := s.signedIn(w, r, "/device?"+url.Values{"user_code": {code}}.Encode())
	if err != nil || v == nil {
		return err
	}
	f := frame{Title: "Let a device in", User: &v.User, Data: device{Code: code}}
	if code == "" {
		return render(w, http.StatusOK, "device", f)
	}
	if err := s.config.Limits.Attempt(w, s.config.ClientAddress(r)); err != nil { // a link guesses as well as a form
		return err
	}
	found, err := s.config.Authorizations.DeviceByUserCode(r.Context(), code)
	if cloud.CodeOf(err) == cloud.CodeNotFound || cloud.CodeOf(err) == cloud.CodeInvalid {
		f.Error = "No device waits with this code: look at the device again; a code is good for 10 minutes, and once"
		return render(w, http.StatusNotFound, "device", f)
	}
	if err != nil {
		return err
	}
	f.Data = device{Code: found.Code, Device: &found}
	return render(w, http.StatusOK, "device", f)
}

func (s *Server) answerDevice(w http.ResponseWriter, r *http.Request) error {
	code := r.FormValue("user_code")
	v, err := s.signedIn(w, r, "/device?"+url.Values{"user_code": {code}}.Encode())
	if err != nil || v == nil {
		return err
	}
	switch r.FormValue("answer") {
	case "approve":
		if err := s.config.Authorizations.ApproveDevice(r.Context(), code, v.User.ID, v.Session.CreatedAt); err != nil {
			return err
		}
		return renderMessage(w, &v.User, message{Title: "The device is in", Text: "Go back to it: it goes on by itself.", Link: accountPath, Label: "To your account"})
	case "deny":
		if err := s.config.Authorizations.DenyDevice(r.Context(), code, v.User.ID); err != nil {
			return err
		}
		return renderMessage(w, &v.User, message{Title: "The device stays out", Text: "It was told so. Nothing else happened.", Link: accountPath, Label: "To your account"})
	default:
		return cloud.Invalid("choose whether the device may act for you")
	}
}
