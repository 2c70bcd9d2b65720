// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
)

// Sandbox is the shell of a pod: its network and cgroup, and the containers
// inside.
type Sandbox struct {
	ID, Name, Namespace, UID string
	// Ready is false once it was stopped.
	Ready bool
	// FromFile is true of a static pod: the kubelet has read it from a file of the host.
	// The kubelet writes that itself, over what a pod of the API says of it
	// (pkg/kubelet/config).
	FromFile bool
	// HostNetwork is true for a pod that lives in the host's network. It is
	// only known after a call of Client.HostNetwork.
	HostNetwork bool
}

// Container is one container of a sandbox.
type Container struct {
	ID, Sandbox, Name string
	// Pod is namespace/name.
	Pod     string
	Running bool
	// Created is when it was made; it was started after that.
	Created time.Time
	// Grace is the pod's own termination grace period; zero if unknown.
	Grace time.Duration
}

// Labels and annotations that the kubelet sets on every container
// (pkg/kubelet/types/labels.go, pkg/kubelet/kuberuntime/labels.go).
const (
	labelPod        = "io.kubernetes.pod.name"
	labelNamespace  = "io.kubernetes.pod.namespace"
	annotationGrace = "io.kubernetes.pod.terminationGracePeriod"
	// annotationSource is where the kubelet has a pod from (pkg/kubelet/types).
	annotationSource = "kubernetes.io/config.source"
)

// Sandboxes lists all sandboxes, stopped ones too.
func (c *Client) Sandboxes(ctx context.Context) ([]Sandbox, error) {
	msg, err := c.call(ctx, "ListPodSandbox", nil)
	if err != nil {
		return nil, err
	}
	return sandboxes(msg)
}

func sandboxes(msg []byte) ([]Sandbox, error) {
	var out []Sandbox
	err := fields(msg, func(field int, b []byte, _ uint64) error {
		if field != 1 {
			return nil
		}
		s := Sandbox{Ready: true} // SANDBOX_READY is zero, and zero is not sent
		err := fields(b, func(field int, b []byte, n uint64) error {
			switch field {
			case 1:
				s.ID = string(b)
			case 2:
				return s.metadata(b)
			case 3:
				s.Ready = n == 0
			case 6:
				key, value, err := pair(b)
				s.FromFile = s.FromFile || key == annotationSource && value == "file"
				return err
			}
			return nil
		})
		out = append(out, s)
		return err
	})
	return out, err
}

func (s *Sandbox) metadata(msg []byte) error {
	return fields(msg, func(field int, b []byte, _ uint64) error {
		switch field {
		case 1:
			s.Name = string(b)
		case 2:
			s.UID = string(b)
		case 3:
			s.Namespace = string(b)
		}
		return nil
	})
}

// HostNetwork reports whether a sandbox lives in the host's network: status.
// linux.namespaces.options.network is NODE (2).
func (c *Client) HostNetwork(ctx context.Context, sandbox string) (bool, error) {
	msg, err := c.call(ctx, "PodSandboxStatus", about(sandbox))
	if err != nil {
		return false, err
	}
	mode := uint64(0)
	err = find(msg, []int{1, 6, 1, 2, 1}, func(_ []byte, n uint64) error { // status, linux, namespaces, options, network
		mode = n
		return nil
	})
	return mode == 2, err
}

// NetNS is the path of the network namespace of a sandbox, as the runtime
// tells in what it says about its own state; empty if it does not, or if the
// sandbox lives in the host's network.
func (c *Client) NetNS(ctx context.Context, sandbox string) (string, error) {
	msg, err := c.call(ctx, "PodSandboxStatus", about(sandbox).number(2, 1)) // verbose
	if err != nil {
		return "", err
	}
	return netNS(msg)
}

// netNS takes the path out of a PodSandboxStatusResponse.
func netNS(msg []byte) (string, error) {
	path := ""
	err := find(msg, []int{2}, func(entry []byte, _ uint64) error { // info
		key, value, err := pair(entry)
		if err != nil || key != "info" {
			return err
		}
		var info struct {
			RuntimeSpec struct {
				Linux struct {
					Namespaces []struct{ Type, Path string }
				}
			}
		}
		if err := json.Unmarshal([]byte(value), &info); err != nil {
			return err
		}
		for _, n := range info.RuntimeSpec.Linux.Namespaces {
			if n.Type == "network" {
				path = n.Path
			}
		}
		return nil
	})
	return path, err
}

// Containers lists all containers, in every state.
func (c *Client) Containers(ctx context.Context) ([]Container, error) {
	msg, err := c.call(ctx, "ListContainers", nil)
	if err != nil {
		return nil, err
	}
	return containers(msg)
}

func containers(msg []byte) ([]Container, error) {
	var out []Container
	err := fields(msg, func(field int, b []byte, _ uint64) error {
		if field != 1 {
			return nil
		}
		one, err := container(b)
		out = append(out, one)
		return err
	})
	return out, err
}

func container(msg []byte) (Container, error) {
	var c Container
	var pod, namespace string
	err := fields(msg, func(field int, b []byte, n uint64) error {
		switch field {
		case 1:
			c.ID = string(b)
		case 2:
			c.Sandbox = string(b)
		case 3:
			return fields(b, func(field int, b []byte, _ uint64) error {
				if field == 1 {
					c.Name = string(b)
				}
				return nil
			})
		case 6:
			c.Running = n == 1
		case 7:
			c.Created = time.Unix(0, int64(n))
		case 8, 9:
			key, value, err := pair(b)
			switch key {
			case labelPod:
				pod = value
			case labelNamespace:
				namespace = value
			case annotationGrace:
				seconds, err := strconv.ParseInt(value, 10, 32)
				if err == nil && seconds > 0 { // else it is unknown
					c.Grace = time.Duration(seconds) * time.Second
				}
			}
			return err
		}
		return nil
	})
	c.Pod = namespace + "/" + pod
	return c, err
}

// StopContainer asks a container to end and kills it after the grace period.
// Stopping one that is gone is no error.
func (c *Client) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	return c.gone(ctx, "StopContainer", about(id).number(2, uint64(grace/time.Second)))
}

// RemoveContainer removes a container. Removing one that is gone is no error.
func (c *Client) RemoveContainer(ctx context.Context, id string) error {
	return c.gone(ctx, "RemoveContainer", about(id))
}

// StopSandbox ends a sandbox: its containers are killed, its network is taken
// down (CNI DEL). Stopping one that is gone is no error.
func (c *Client) StopSandbox(ctx context.Context, id string) error {
	return c.gone(ctx, "StopPodSandbox", about(id))
}

// RemoveSandbox removes a sandbox and its containers. Removing one that is
// gone is no error.
func (c *Client) RemoveSandbox(ctx context.Context, id string) error {
	return c.gone(ctx, "RemovePodSandbox", about(id))
}

func (c *Client) gone(ctx context.Context, method string, request []byte) error {
	if _, err := c.call(ctx, method, request); err != nil && !NotFound(err) {
		return err
	}
	return nil
}
