// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"context"
	"fmt"
)

// Mount is a directory or file of the host that a container was given.
type Mount struct {
	// HostPath is where it is on the host.
	HostPath string
	ReadOnly bool
	// Bidirectional says that what the container mounts in it is mounted on the host, too.
	Bidirectional bool
}

// mostMounts bounds how many mounts of one container are read: Kubernetes has no bound of
// its own, and a pod with a hundred volumes is a large one.
const mostMounts = 1024

// Mounts are what a container was given of the host. Where there are more than are read,
// those and an error.
func (c *Client) Mounts(ctx context.Context, container string) ([]Mount, error) {
	msg, err := c.call(ctx, "ContainerStatus", about(container))
	if err != nil {
		return nil, err
	}
	return mounts(msg)
}

// errMounts ends the reading of a container that has too many.
var errMounts = fmt.Errorf("the container has more than %d mounts", mostMounts)

// mounts takes them out of a ContainerStatusResponse: status, mounts.
func mounts(msg []byte) (out []Mount, err error) {
	err = find(msg, []int{1, 14}, func(b []byte, _ uint64) error {
		if len(out) == mostMounts {
			return errMounts
		}
		var m Mount
		err := fields(b, func(field int, b []byte, n uint64) error {
			switch field {
			case 2:
				m.HostPath = string(b)
			case 3:
				m.ReadOnly = n != 0
			case 5:
				m.Bidirectional = n == 2
			}
			return nil
		})
		out = append(out, m)
		return err
	})
	return out, err
}
