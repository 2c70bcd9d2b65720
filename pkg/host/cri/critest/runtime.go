// SPDX-License-Identifier: Apache-2.0

// Package critest is a container runtime for tests: it listens on a socket as
// a real one does, and its pods exist in memory only.
package critest

import (
	"cmp"
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Pod is a pod with one container.
type Pod struct {
	Name        string
	HostNetwork bool
	// NetNS is the path of its network namespace; empty where the runtime does not say.
	NetNS string
	// Source is where the kubelet has it from: "file" of a static pod. Namespace is "ns"
	// and Container "app" if they are empty.
	Source, Namespace, Container string
	// Stopped says that its container does not run; it was made at Created.
	Stopped bool
	Created time.Time
	// Mounts are what its container was given.
	Mounts []*runtime.Mount
	// Gone is called when it is removed; it ends the pod's processes.
	Gone func()
}

// Runtime is a running runtime. Set its fields before it is used.
type Runtime struct {
	runtime.UnimplementedRuntimeServiceServer
	// Stop, if set, is asked before a pod is stopped.
	Stop func(pod string) error

	mu    sync.Mutex
	pods  []Pod
	said  []string
	ended []string
}

// Serve starts a runtime with some pods on a socket; it ends with the test.
func Serve(t *testing.T, socket string, pods ...Pod) *Runtime {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	var config net.ListenConfig
	listen, err := config.Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	r := &Runtime{pods: pods}
	server := grpc.NewServer()
	runtime.RegisterRuntimeServiceServer(server, r)
	go func() { _ = server.Serve(listen) }()
	t.Cleanup(server.Stop)
	return r
}

// Start adds pods, as a kubelet would.
func (r *Runtime) Start(pods ...Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods = append(r.pods, pods...)
}

// Said returns what the runtime was told, in order: "stop web", "remove web".
func (r *Runtime) Said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

func (r *Runtime) say(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, what)
}

// ListPodSandbox lists the pods; the id of each is its name.
func (r *Runtime) ListPodSandbox(context.Context, *runtime.ListPodSandboxRequest) (*runtime.ListPodSandboxResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := &runtime.ListPodSandboxResponse{}
	for _, p := range r.pods {
		out.Items = append(out.Items, &runtime.PodSandbox{Id: p.Name, Metadata: &runtime.PodSandboxMetadata{Name: p.Name,
			Namespace: cmp.Or(p.Namespace, "ns"), Uid: p.Name},
			Annotations: map[string]string{"kubernetes.io/config.source": cmp.Or(p.Source, "api")}})
	}
	return out, nil
}

// ListContainers lists one container of each pod.
func (r *Runtime) ListContainers(context.Context, *runtime.ListContainersRequest) (*runtime.ListContainersResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := &runtime.ListContainersResponse{}
	for _, p := range r.pods {
		state := runtime.ContainerState_CONTAINER_RUNNING
		if p.Stopped {
			state = runtime.ContainerState_CONTAINER_EXITED
		}
		out.Containers = append(out.Containers, &runtime.Container{
			Id: "c-" + p.Name, PodSandboxId: p.Name, Metadata: &runtime.ContainerMetadata{Name: cmp.Or(p.Container, "app")},
			State: state, CreatedAt: p.Created.UnixNano(),
			Labels: map[string]string{"io.kubernetes.pod.name": p.Name, "io.kubernetes.pod.namespace": cmp.Or(p.Namespace, "ns")},
		})
	}
	return out, nil
}

// ContainerStatus tells what a container was given.
func (r *Runtime) ContainerStatus(_ context.Context, q *runtime.ContainerStatusRequest) (*runtime.ContainerStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pods {
		if "c-"+p.Name == q.ContainerId {
			return &runtime.ContainerStatusResponse{Status: &runtime.ContainerStatus{Id: q.ContainerId, Mounts: p.Mounts}}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "no such container")
}

// PodSandboxStatus tells whether a pod is in the host's network.
func (r *Runtime) PodSandboxStatus(_ context.Context, q *runtime.PodSandboxStatusRequest) (*runtime.PodSandboxStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.pods {
		if p.Name != q.PodSandboxId {
			continue
		}
		mode := runtime.NamespaceMode_POD
		if p.HostNetwork {
			mode = runtime.NamespaceMode_NODE
		}
		out := &runtime.PodSandboxStatusResponse{Status: &runtime.PodSandboxStatus{Linux: &runtime.LinuxPodSandboxStatus{
			Namespaces: &runtime.Namespace{Options: &runtime.NamespaceOption{Network: mode}}}}}
		if q.Verbose && p.NetNS != "" {
			out.Info = map[string]string{"info": `{"runtimeSpec":{"linux":{"namespaces":[{"type":"network","path":"` + p.NetNS + `"}]}}}`}
		}
		return out, nil
	}
	return nil, status.Error(codes.NotFound, "no such pod")
}

// Ended returns the ids of the containers that were stopped, in order.
func (r *Runtime) Ended() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ended)
}

// StopContainer notes which one.
func (r *Runtime) StopContainer(_ context.Context, q *runtime.StopContainerRequest) (*runtime.StopContainerResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, q.ContainerId)
	return &runtime.StopContainerResponse{}, nil
}

// StopPodSandbox stops a pod, or fails as Stop says.
func (r *Runtime) StopPodSandbox(_ context.Context, q *runtime.StopPodSandboxRequest) (*runtime.StopPodSandboxResponse, error) {
	r.say("stop " + q.PodSandboxId)
	if r.Stop != nil {
		if err := r.Stop(q.PodSandboxId); err != nil {
			return nil, status.Error(codes.Unknown, err.Error())
		}
	}
	return &runtime.StopPodSandboxResponse{}, nil
}

// RemovePodSandbox removes a pod.
func (r *Runtime) RemovePodSandbox(_ context.Context, q *runtime.RemovePodSandboxRequest) (*runtime.RemovePodSandboxResponse, error) {
	r.say("remove " + q.PodSandboxId)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods = slices.DeleteFunc(r.pods, func(p Pod) bool {
		if p.Name == q.PodSandboxId && p.Gone != nil {
			p.Gone()
		}
		return p.Name == q.PodSandboxId
	})
	return &runtime.RemovePodSandboxResponse{}, nil
}
