// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"io"
)

// Snapshot writes the data of the cluster, as this host's member has it, to what begin returns
// for about so many bytes. It is false where the host has no member.
func (t Member) Snapshot(ctx context.Context, begin func(size int64) (io.Writer, error)) (found bool, err error) {
	flags, found, err := t.etcdFlags()
	if err != nil || !found {
		return false, err
	}
	client, err := t.etcdClient()
	if err != nil {
		return true, err
	}
	own := firstURL(flags["advertise-client-urls"], flags["listen-client-urls"])
	status, err := client.Status(ctx, own)
	if err != nil {
		return true, err
	}
	w, err := begin(status.Size)
	if err != nil {
		return true, err
	}
	return true, client.Snapshot(ctx, own, w)
}
