// SPDX-License-Identifier: Apache-2.0

package cri

import (
	"net/http"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// encoded is a message of the real types.
func encoded(f *testing.F, m proto.Message) []byte {
	f.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	return raw
}

func FuzzReplies(f *testing.F) {
	f.Add(encoded(f, &runtime.ListPodSandboxResponse{Items: []*runtime.PodSandbox{{Id: "a",
		Metadata: &runtime.PodSandboxMetadata{Name: "n"}}}}))
	f.Add(encoded(f, &runtime.ListContainersResponse{Containers: []*runtime.Container{{Id: "a",
		Annotations: map[string]string{annotationGrace: "-1"}}}}))
	f.Add(encoded(f, &runtime.PodSandboxStatusResponse{Info: map[string]string{
		"info": `{"runtimeSpec":{"linux":{"namespaces":[{"type":"network","path":"/x"}]}}}`,
	}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, msg []byte) {
		pods, _ := sandboxes(msg)
		all, _ := containers(msg)
		size := 0
		for _, p := range pods {
			size += len(p.ID) + len(p.Name) + len(p.Namespace) + len(p.UID)
		}
		if size > len(msg) {
			t.Errorf("%d bytes were read of %d", size, len(msg))
		}
		for _, c := range all {
			if c.Grace < 0 {
				t.Errorf("a grace of %s", c.Grace)
			}
		}
		given, _ := mounts(msg)
		for _, m := range given {
			size -= len(m.HostPath)
		}
		if size < -len(msg) || len(given) > mostMounts {
			t.Errorf("%d mounts of %d bytes", len(given), len(msg))
		}
		if path, err := netNS(msg); err == nil && len(path) > 6*len(msg) {
			t.Errorf("a path of %d bytes in %d", len(path), len(msg))
		}
	})
}

func FuzzReply(f *testing.F) {
	f.Add("0", "", []byte{0, 0, 0, 0, 1, 9})
	f.Add("2", "a%20b%zz%", []byte{})
	f.Add("", "%ff%c3", []byte{0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, code, message string, body []byte) {
		trailer := http.Header{"Grpc-Status": {code}, "Grpc-Message": {message}}
		msg, err := reply("X", &http.Response{StatusCode: http.StatusOK, Trailer: trailer, Header: http.Header{}}, body)
		if err == nil && len(msg) != len(body)-5 {
			t.Errorf("%d bytes of %d", len(msg), len(body))
		}
		if said := unescape(message); len(said) > maxMessage || !utf8.ValidString(said) {
			t.Errorf("%d bytes: %q", len(said), said)
		}
	})
}

func TestAGraceThatIsNoneIsNotWaitedForForEver(t *testing.T) {
	for _, value := range []string{"-1", "-9223372036854775808", "99999999999999999999", "x", ""} {
		raw, err := proto.Marshal(&runtime.Container{Annotations: map[string]string{annotationGrace: value}})
		if err != nil {
			t.Fatal(err)
		}
		if c, err := container(raw); err != nil || c.Grace != 0 {
			t.Errorf("%q: %s, %v", value, c.Grace, err)
		}
	}
}
