// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/arrival"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// outside asks the API server without credentials; nothing is
// seen where that cannot be done.
func (c commands) outside(ctx context.Context) join.Outside {
	config, err := c.Config()
	if err != nil {
		return join.Outside{}
	}
	return join.LookFromOutside(ctx, config)
}

// warnOf writes a warning and its way out.
func (c commands) warnOf(w check.Warning) {
	c.Warn("%s", w.Text)
	c.Say("         %s", w.Hint)
}

// cordonedBy says what the note of a cordon says: "by ann@laptop at …: new disks".
func cordonedBy(node *corev1.Node) string {
	var note drain.Note
	written, ok := node.Annotations[drain.NoteAnnotation]
	if !ok || json.Unmarshal([]byte(written), &note) != nil {
		return ""
	}
	return note.String()
}

// makeToken makes the token and waits until hosts can use it.
func (c commands) makeToken(ctx context.Context, client kubernetes.Interface, outside join.Outside,
	r bootstrap.Request) (bootstrap.Token, error) {
	var token bootstrap.Token
	title := "Make a bootstrap token that lives " + duration.HumanDuration(r.TTL)
	if r.Token.IsReference() {
		title = "Read bootstrap token " + r.Token.ID
	}
	made := plan.Plan{Title: "Make a join command", Steps: []plan.Step{
		{ID: "token", Title: title, Do: func(ctx context.Context, _ plan.Report) (err error) {
			token, err = bootstrap.Mint(ctx, client, r)
			return env.NothingChanged(err)
		}},
		{ID: "signature", Title: "Wait until cluster-info is signed with it", Do: func(ctx context.Context, report plan.Report) error {
			return bootstrap.WaitSigned(ctx, client, token, report)
		}},
		{ID: "trial", Title: "Wait until the API server accepts it", Do: func(ctx context.Context, _ plan.Report) error {
			if err := outside.TryToken(ctx, token); err != nil {
				return errors.Join(err, c.revoke(ctx, client, token))
			}
			return nil
		}},
	}}
	progress := c.Progress()
	defer progress.Close()
	_, err := made.Run(ctx, progress)
	return token, err
}

// life says until when a token is good.
func life(token bootstrap.Token) string {
	if token.Expires.IsZero() {
		return fmt.Sprintf("token %s never expires", token.ID)
	}
	return fmt.Sprintf("token %s lives until %s", token.ID, token.Expires.Local().Format("2006-01-02 15:04:05 MST"))
}

func orSome(version string) string {
	if version == "" {
		return "the cluster's version"
	}
	return version
}

// mayCome reports whether a host that was given up may still be on its way: then its
// token stays. One that has registered its node needs none, and one that took the name
// of another must have none.
func mayCome(host arrival.Arrival, err error) bool {
	return host.Stage < arrival.Registered && !errors.Is(err, arrival.ErrNameTaken)
}

// leave decides about the token of a host that is no longer followed.
func (c commands) leave(ctx context.Context, client kubernetes.Interface, token bootstrap.Token, mayCome bool) error {
	if token.Foreign || mayCome {
		c.Say("%s", life(token))
		c.sayHowToGoOn(token)
		return nil
	}
	if err := c.revoke(ctx, client, token); err != nil {
		return err
	}
	c.Say("token %s was revoked", token.ID)
	return nil
}

// revoke works after a Ctrl-C too.
func (c commands) revoke(ctx context.Context, client kubernetes.Interface, token bootstrap.Token) error {
	if token.Foreign {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return bootstrap.Revoke(ctx, client, token)
}

func (c commands) sayHowToGoOn(token bootstrap.Token) {
	c.Say("  follow the host:   kubectl lifecycle join --wait --bootstrap-token %s", text.Quote(token.ID))
	c.Say("  revoke the token:  kubectl lifecycle join revoke %s", text.Quote(token.ID))
}
