// SPDX-License-Identifier: Apache-2.0

package cri_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
)

// fake is a runtime behind the real gRPC server and the real message types.
type fake struct {
	runtime.UnimplementedRuntimeServiceServer
	said []string
}

func (f *fake) ListPodSandbox(context.Context, *runtime.ListPodSandboxRequest) (*runtime.ListPodSandboxResponse, error) {
	return &runtime.ListPodSandboxResponse{Items: []*runtime.PodSandbox{
		{Id: "s1", Metadata: &runtime.PodSandboxMetadata{Name: "web-0", Uid: "u1", Namespace: "shop", Attempt: 3}, CreatedAt: 1 << 60,
			Labels: map[string]string{"a": "b"}},
		{Id: "s2", Metadata: &runtime.PodSandboxMetadata{Name: "proxy", Uid: "u2", Namespace: "kube-system"},
			State: runtime.PodSandboxState_SANDBOX_NOTREADY},
	}}, nil
}

func (f *fake) PodSandboxStatus(_ context.Context, r *runtime.PodSandboxStatusRequest) (*runtime.PodSandboxStatusResponse, error) {
	mode := map[string]runtime.NamespaceMode{"s2": runtime.NamespaceMode_NODE}[r.PodSandboxId]
	return &runtime.PodSandboxStatusResponse{
		Status: &runtime.PodSandboxStatus{Id: r.PodSandboxId, Linux: &runtime.LinuxPodSandboxStatus{
			Namespaces: &runtime.Namespace{Options: &runtime.NamespaceOption{Network: mode, Pid: runtime.NamespaceMode_CONTAINER}}}},
	}, nil
}

func (f *fake) ListContainers(context.Context, *runtime.ListContainersRequest) (*runtime.ListContainersResponse, error) {
	return &runtime.ListContainersResponse{Containers: []*runtime.Container{{
		Id: "c1", PodSandboxId: "s1", Metadata: &runtime.ContainerMetadata{Name: "app"}, State: runtime.ContainerState_CONTAINER_RUNNING,
		Labels:      map[string]string{"io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "shop"},
		Annotations: map[string]string{"io.kubernetes.pod.terminationGracePeriod": "30"},
	}}}, nil
}

func (f *fake) ContainerStatus(_ context.Context, r *runtime.ContainerStatusRequest) (*runtime.ContainerStatusResponse, error) {
	out := &runtime.ContainerStatus{Id: r.ContainerId, Image: &runtime.ImageSpec{Image: "x"}, Labels: map[string]string{"a": "b"}}
	out.Mounts = []*runtime.Mount{
		{ContainerPath: "/a", HostPath: "/srv/a", Readonly: true, Propagation: runtime.MountPropagation_PROPAGATION_HOST_TO_CONTAINER},
		{ContainerPath: "/b", HostPath: "/srv/b", Propagation: runtime.MountPropagation_PROPAGATION_BIDIRECTIONAL,
			UidMappings: []*runtime.IDMapping{{HostId: 7, Length: 1}}}}
	if r.ContainerId == "many" {
		out.Mounts = make([]*runtime.Mount, 5000)
		for i := range out.Mounts {
			out.Mounts[i] = &runtime.Mount{HostPath: "/m"}
		}
	}
	return &runtime.ContainerStatusResponse{Status: out, Info: map[string]string{"info": "{}"}}, nil
}

func (f *fake) StopContainer(_ context.Context, r *runtime.StopContainerRequest) (*runtime.StopContainerResponse, error) {
	f.said = append(f.said, "stop "+r.ContainerId+" "+(time.Duration(r.Timeout)*time.Second).String())
	return &runtime.StopContainerResponse{}, nil
}

func (f *fake) RemovePodSandbox(_ context.Context, r *runtime.RemovePodSandboxRequest) (*runtime.RemovePodSandboxResponse, error) {
	return nil, status.Error(codes.NotFound, "no such sandbox "+r.PodSandboxId)
}

func (f *fake) StopPodSandbox(_ context.Context, r *runtime.StopPodSandboxRequest) (*runtime.StopPodSandboxResponse, error) {
	return nil, status.Error(codes.Unknown, "failed to destroy network: cni plugin not initialized — 100%")
}

func serve(t *testing.T) (*cri.Client, *fake) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "cri.sock")
	listen, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server, f := grpc.NewServer(), &fake{}
	runtime.RegisterRuntimeServiceServer(server, f)
	go func() { _ = server.Serve(listen) }()
	client := cri.New("unix://" + socket)
	t.Cleanup(func() { client.Close(); server.Stop() })
	return client, f
}

func TestTheClientUnderstandsARealServer(t *testing.T) {
	client, f := serve(t)
	ctx := t.Context()

	sandboxes, err := client.Sandboxes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []cri.Sandbox{
		{ID: "s1", Name: "web-0", Namespace: "shop", UID: "u1", Ready: true},
		{ID: "s2", Name: "proxy", Namespace: "kube-system", UID: "u2"},
	}
	if diff := cmp.Diff(want, sandboxes); diff != "" {
		t.Errorf("sandboxes (-want +got):\n%s", diff)
	}
	containers, err := client.Containers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]cri.Container{{ID: "c1", Sandbox: "s1", Name: "app", Pod: "shop/web-0", Running: true, Grace: 30 * time.Second}},
		containers); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
	for sandbox, want := range map[string]bool{"s1": false, "s2": true} {
		got, err := client.HostNetwork(ctx, sandbox)
		if err != nil || got != want {
			t.Errorf("HostNetwork(%s) = %v, %v; want %v", sandbox, got, err, want)
		}
	}
	if err := client.StopContainer(ctx, "c1", 10*time.Second); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"stop c1 10s"}, f.said); diff != "" {
		t.Errorf("what the server heard (-want +got):\n%s", diff)
	}
}

func TestRemovingWhatIsGoneIsNoError(t *testing.T) {
	client, _ := serve(t)
	if err := client.RemoveSandbox(t.Context(), "s9"); err != nil {
		t.Error(err)
	}
}

func TestAnErrorKeepsWhatTheRuntimeSaid(t *testing.T) {
	client, _ := serve(t)
	err := client.StopSandbox(t.Context(), "s1")
	if err == nil || !strings.Contains(err.Error(), "cni plugin not initialized — 100%") {
		t.Errorf("got %v", err)
	}
	if err := client.RemoveContainer(t.Context(), "c1"); err == nil || !strings.Contains(err.Error(), "code 12") {
		t.Errorf("unimplemented: got %v", err)
	}
}

func TestARuntimeThatDoesNotListenIsNamed(t *testing.T) {
	err := cri.New("/nowhere/cri.sock").StopSandbox(t.Context(), "s1")
	if err == nil || !strings.Contains(err.Error(), "/nowhere/cri.sock") {
		t.Errorf("got %v", err)
	}
}

func TestTheMountsOfAContainerAreReadAndBounded(t *testing.T) {
	client, _ := serve(t)
	got, err := client.Mounts(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]cri.Mount{{HostPath: "/srv/a", ReadOnly: true}, {HostPath: "/srv/b", Bidirectional: true}}, got); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	got, err = client.Mounts(t.Context(), "many")
	if err == nil || !strings.Contains(err.Error(), "more than 1024 mounts") || len(got) != 1024 {
		t.Errorf("%d mounts, %v", len(got), err)
	}
}
