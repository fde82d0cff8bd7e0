package cloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// InvitationToken makes what the link of an invitation holds: its id, its
// generation, and an HMAC-SHA-256 over both by which it is known for ours.
func InvitationToken(mailKey Secret, id ID, generation int64) Secret {
	body := invitationBody(id, generation)
	return NewSecret(base64.RawURLEncoding.EncodeToString(append(body, mailMAC(mailKey, "invitation", body)...)))
}

// The parts of an invitation's token, in bytes: the id as text, the generation,
// the HMAC.
const (
	idLength         = 36
	generationLength = 8
	tokenLength      = idLength + generationLength + sha256.Size
)

// ParseInvitationToken reads what InvitationToken made; everything else is
// CodeNotFound, as is an invitation that was taken back.
func ParseInvitationToken(mailKey, token Secret) (id ID, generation int64, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token.Reveal())
	if err != nil || len(raw) != tokenLength || len(token.Reveal()) != base64.RawURLEncoding.EncodedLen(tokenLength) {
		return "", 0, ErrNoInvitation
	}
	body, mac := raw[:tokenLength-sha256.Size], raw[tokenLength-sha256.Size:]
	if !hmac.Equal(mac, mailMAC(mailKey, "invitation", body)) {
		return "", 0, ErrNoInvitation
	}
	return ID(body[:idLength]), int64(binary.BigEndian.Uint64(body[idLength:])), nil //nolint:gosec // we wrote it
}

// ErrNoInvitation answers every token that opens no invitation, for whatever
// reason.
var ErrNoInvitation = NotFound("this invitation does not exist, has expired, was taken back or was used already; ask whoever invited you for another")

func invitationBody(id ID, generation int64) []byte {
	return binary.BigEndian.AppendUint64([]byte(id), uint64(generation)) //nolint:gosec // it only grows from 0
}

// codeDigits is the length of the codes that are sent by mail.
const codeDigits = 8

// SignInCode makes the code that is sent for a sign-in: 8 digits.
func SignInCode(mailKey Secret, signIn SecretHash) Secret {
	const modulus = 100_000_000
	mac := mailMAC(mailKey, "code", []byte(signIn))
	return NewSecret(fmt.Sprintf("%0*d", codeDigits, binary.BigEndian.Uint64(mac)%modulus))
}

func mailMAC(key Secret, use string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(use + "\x00"))
	mac.Write(body)
	return mac.Sum(nil)
}
