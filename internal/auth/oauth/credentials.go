package oauth

import (
	"context"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// verifyClient returns the client that is asking: one of ours, which have no
// secret, or a service account, by its id and one of its secrets.
func (s *Server) verifyClient(ctx context.Context, id string, secret cloud.Secret) (client, error) {
	if c, ok := publicClient(id, ""); ok {
		if secret.Reveal() != "" {
			return client{}, invalidClient()
		}
		return c, nil
	}
	account, err := s.serviceAccount(ctx, id, secret)
	if err != nil {
		return client{}, err
	}
	return serviceClient(account), nil
}

// nobody is compared with where there is no account, so that it takes the same
// pains.
var nobody = []cloud.ServiceSecret{{Hash: cloud.DrawSecret("").Hash()}}

// serviceAccount returns the account whose secret this is, and notes its use.
// Who has the secret of a suspended account is told that it is.
func (s *Server) serviceAccount(ctx context.Context, id string, secret cloud.Secret) (cloud.ServiceAccount, error) {
	var account cloud.ServiceAccount
	var user cloud.User
	secrets := nobody
	err := s.Store.Read(ctx, func(tx cloud.Reader) error {
		account, user, secrets = cloud.ServiceAccount{}, cloud.User{}, nobody
		parsed, err := cloud.ParseID(id)
		if err != nil {
			return nil // not an account's
		}
		if account, err = tx.ServiceAccount("", parsed); err != nil {
			return ignoreNotFound(err)
		}
		if user, err = tx.User(account.ID); err != nil {
			return err
		}
		secrets, err = tx.ServiceSecrets(account.ID)
		return err
	})
	if err != nil {
		return cloud.ServiceAccount{}, err
	}
	used, ok := matching(secrets, secret)
	if !ok || account.ID == "" {
		return cloud.ServiceAccount{}, invalidClient()
	}
	if !user.SuspendedAt.IsZero() {
		return cloud.ServiceAccount{}, op.NewStatusError(oidc.ErrInvalidClient().WithDescription("this service account is suspended; ask the operator"), http.StatusUnauthorized)
	}
	return account, s.noteUse(ctx, used)
}

func ignoreNotFound(err error) error {
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return nil
	}
	return err
}

// matching finds the secret, and looks at all of them.
func matching(secrets []cloud.ServiceSecret, presented cloud.Secret) (found cloud.ServiceSecret, ok bool) {
	for _, s := range secrets {
		if s.Hash.Matches(presented) {
			found, ok = s, true
		}
	}
	return found, ok
}

// noteUse writes only when that tells something new.
func (s *Server) noteUse(ctx context.Context, used cloud.ServiceSecret) error {
	now := s.Now()
	if since := now.Sub(used.LastUsedAt); 0 <= since && since < cloud.SecretUseGrain {
		return nil
	}
	err := s.Store.Write(ctx, func(tx cloud.Writer) error { return tx.UseServiceSecret(used.ID, now) })
	if cloud.CodeOf(err) == cloud.CodeNotFound { // taken away just now
		return invalidClient()
	}
	return err
}

// serviceTokens gives a service account its access token (RFC 6749, 4.4), which
// opens its organization.
func (s *Server) serviceTokens(ctx context.Context, account cloud.ServiceAccount) (*oidc.AccessTokenResponse, error) {
	token, _, err := s.Issuer.Mint(ctx, issuer.Claims{
		UserID: account.ID, OrganizationID: account.OrganizationID, ClientID: string(account.ID), TTL: cloud.AccessTokenTTL,
	})
	if err != nil {
		return nil, err
	}
	return &oidc.AccessTokenResponse{AccessToken: token.Reveal(), TokenType: oidc.BearerToken, ExpiresIn: expiresIn}, nil
}
