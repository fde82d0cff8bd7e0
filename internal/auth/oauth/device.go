package oauth

import (
	"context"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// User codes are letters without vowels, which make no words and do not look
// alike (RFC 8628, 6.1): some 2.5e10 of them.
const (
	userCodeLetters = op.CharSetBase20
	userCodeLength  = 8
)

// userCodeTries is how often a user code is made that another device has.
const userCodeTries = 5

// authorizeDevice begins the authorization of a device (RFC 8628, 3.2).
func (s *Server) authorizeDevice(ctx context.Context, client string, asked []string) (*oidc.DeviceAuthorizationResponse, error) {
	scopes, err := parseScopes(asked)
	if err != nil {
		return nil, err
	}
	page, err := s.url(ctx, DevicePage)
	if err != nil {
		return nil, err
	}
	secret, now := cloud.DrawSecret(devicePrefix), s.Now()
	d := cloud.DeviceCode{
		Hash: secret.Hash(), ClientID: client, Scopes: scopes, State: cloud.DevicePending,
		CreatedAt: now, ExpiresAt: now.Add(cloud.DeviceCodeTTL),
	}
	for range userCodeTries {
		if d.UserCode, err = op.NewUserCode([]rune(userCodeLetters), userCodeLength, 0); err != nil {
			return nil, err
		}
		err = s.Store.Write(ctx, func(tx cloud.Writer) error { return tx.CreateDeviceCode(d) })
		if cloud.CodeOf(err) != cloud.CodeConflict {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	shown := showUserCode(d.UserCode)
	return &oidc.DeviceAuthorizationResponse{
		DeviceCode: secret.Reveal(), UserCode: shown,
		VerificationURI: page, VerificationURIComplete: page + "?user_code=" + shown,
		ExpiresIn: int(cloud.DeviceCodeTTL / time.Second), Interval: int(pollInterval / time.Second),
	}, nil
}

func showUserCode(code string) string {
	return code[:userCodeLength/2] + "-" + code[userCodeLength/2:]
}

var errNoDevice = cloud.NotFound("this code does not exist, has expired or was answered already; look at the device again, or begin anew there")

// parseUserCode reads what a person typed.
func parseUserCode(typed string) (string, error) {
	const most = 4 * userCodeLength
	if len(typed) > most {
		return "", errNoDevice
	}
	code := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
	if len(code) != userCodeLength || strings.Trim(code, userCodeLetters) != "" {
		return "", errNoDevice
	}
	return code, nil
}

// Device is a headless machine that asks to act for a person.
type Device struct {
	UserCode   string // as the device shows it
	ClientID   string
	ClientName string // as people read it
	Scopes     []string
	ExpiresAt  time.Time
}

// DeviceByUserCode finds the device that shows a code, which a person typed in
// whatever case; CodeNotFound if none waits for an answer.
func (s *Server) DeviceByUserCode(ctx context.Context, typed string) (Device, error) {
	var d cloud.DeviceCode
	err := s.Store.Read(ctx, func(tx cloud.Reader) (err error) {
		d, err = pendingDevice(tx, typed, s.Now())
		return err
	})
	if err != nil {
		return Device{}, err
	}
	return Device{
		UserCode: showUserCode(d.UserCode), ClientID: d.ClientID, ClientName: clientName(d.ClientID),
		Scopes: d.Scopes, ExpiresAt: d.ExpiresAt,
	}, nil
}

func pendingDevice(tx cloud.Reader, typed string, now time.Time) (cloud.DeviceCode, error) {
	code, err := parseUserCode(typed)
	if err != nil {
		return cloud.DeviceCode{}, err
	}
	d, err := tx.DeviceCodeByUserCode(code, now)
	if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && d.State != cloud.DevicePending {
		return cloud.DeviceCode{}, errNoDevice
	}
	return d, err
}

// ApproveDevice lets a device act for the person, who signed in at authTime.
// CodeNotFound as in DeviceByUserCode; CodeForbidden for who is no person, and for
// an organization that is not theirs.
func (s *Server) ApproveDevice(ctx context.Context, typed string, user cloud.ID, authTime time.Time) error {
	return s.Store.Write(ctx, func(tx cloud.Writer) error {
		d, err := pendingDevice(tx, typed, s.Now())
		if err != nil {
			return err
		}
		if err := mayActFor(tx, user, d.Scopes); err != nil {
			return err
		}
		if err := answerDevice(tx, d, cloud.DeviceApproved, user, authTime); err != nil {
			return err
		}
		return s.audit(ctx, tx, family{user: user, client: d.ClientID, scopes: d.Scopes, action: "device.approve", actor: actor(user)})
	})
}

// DenyDevice tells a device that it may not. CodeNotFound as in DeviceByUserCode.
func (s *Server) DenyDevice(ctx context.Context, typed string, user cloud.ID) error {
	return s.Store.Write(ctx, func(tx cloud.Writer) error {
		d, err := pendingDevice(tx, typed, s.Now())
		if err != nil {
			return err
		}
		return answerDevice(tx, d, cloud.DeviceDenied, user, time.Time{})
	})
}

func answerDevice(tx cloud.Writer, d cloud.DeviceCode, state cloud.DeviceState, user cloud.ID, at time.Time) error {
	err := tx.SetDeviceCode(d.Hash, cloud.DevicePending, state, user, at)
	if cloud.CodeOf(err) == cloud.CodeConflict {
		return errNoDevice
	}
	return err
}

// exchangeDevice gives a device its tokens, once, when a person approved it
// (RFC 8628, 3.5).
func (s *Server) exchangeDevice(ctx context.Context, client string, code cloud.Secret) (*oidc.AccessTokenResponse, error) {
	d, err := s.answeredDevice(ctx, client, code)
	if err != nil {
		return nil, err
	}
	signer, err := s.Issuer.Signer(ctx)
	if err != nil {
		return nil, err
	}
	g := grant{client: client, user: d.UserID, scopes: d.Scopes, authTime: d.AuthTime, tokenID: s.NewID()}
	if hasRefresh(d.Scopes) {
		g.refresh = cloud.DrawSecret(refreshPrefix)
	}
	err = s.decide(ctx, func(tx cloud.Writer) (*oidc.Error, error) {
		if refused, err := stillMayActFor(tx, d.UserID, d.Scopes); refused != nil || err != nil {
			return refused, err
		}
		err := tx.SetDeviceCode(d.Hash, cloud.DeviceApproved, cloud.DeviceExchanged, d.UserID, d.AuthTime)
		if code := cloud.CodeOf(err); code == cloud.CodeConflict || code == cloud.CodeNotFound {
			return invalidGrant(), nil
		}
		if err != nil {
			return nil, err
		}
		return nil, s.complete(tx, &g, g.tokenID, d.Scopes)
	})
	if err != nil {
		return nil, err
	}
	return s.tokens(signer, g)
}

// answeredDevice returns the device if it was approved; else its client is told
// how far it is.
func (s *Server) answeredDevice(ctx context.Context, client string, code cloud.Secret) (d cloud.DeviceCode, err error) {
	now := s.Now()
	err = s.Store.Read(ctx, func(tx cloud.Reader) (err error) {
		d, err = tx.DeviceCode(code.Hash(), now)
		return err
	})
	switch {
	case cloud.CodeOf(err) == cloud.CodeNotFound:
		return d, oidc.ErrExpiredDeviceCode() // or it is none: who expired is forgotten
	case err != nil:
		return d, err
	case d.ClientID != client:
		return d, invalidGrant()
	}
	switch d.State {
	case cloud.DeviceApproved:
		return d, nil
	case cloud.DevicePending:
		if s.polls.tooSoon(d.Hash, now) {
			return d, oidc.ErrSlowDown()
		}
		return d, oidc.ErrAuthorizationPending()
	case cloud.DeviceDenied:
		return d, oidc.ErrAccessDenied()
	case cloud.DeviceExchanged:
	}
	return d, invalidGrant()
}
