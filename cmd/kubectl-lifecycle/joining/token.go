// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
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
