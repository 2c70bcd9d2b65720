// SPDX-License-Identifier: Apache-2.0

package cri

import "context"

// Version is the runtime's name and version; a runtime whose CRI is turned off answers
// with an *Error of code 12 (Unimplemented).
func (c *Client) Version(ctx context.Context) (name, version string, err error) {
	msg, err := c.call(ctx, "Version", nil)
	if err != nil {
		return "", "", err
	}
	err = fields(msg, func(field int, bytes []byte, _ uint64) error {
		switch field {
		case 2:
			name = string(bytes)
		case 3:
			version = string(bytes)
		}
		return nil
	})
	return name, version, err
}

// CgroupDriver is the runtime's own, "systemd" or "cgroupfs"; empty if it does not
// tell. containerd before 2.0 does not know the call: an *Error of code 12.
func (c *Client) CgroupDriver(ctx context.Context) (string, error) {
	msg, err := c.call(ctx, "RuntimeConfig", nil)
	if err != nil {
		return "", err
	}
	driver := ""
	err = fields(msg, func(field int, linux []byte, _ uint64) error {
		if field != 1 {
			return nil
		}
		driver = "systemd" // its number is 0, which is left out
		return fields(linux, func(field int, _ []byte, number uint64) error {
			if field == 1 && number == 1 {
				driver = "cgroupfs"
			}
			return nil
		})
	})
	return driver, err
}
