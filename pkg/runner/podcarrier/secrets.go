// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// partSize is how much of the program one Secret holds: etcd takes 1.5 MiB in a
// request, the API server 1 MiB in a Secret.
const partSize = 900 << 10

// The keys of what travels in Secrets.
const (
	partKey     = "part"
	deliveryKey = "delivery"
)

// send has the program travel in Secrets of the record's, and the credentials in
// one of their own. All of them are deleted once the program has answered.
func (c *Carrier) send(ctx context.Context, delivery wire.Delivery, report plan.Report) (err error) {
	record := delivery.Spec.Record
	line, err := json.Marshal(delivery)
	if err != nil {
		return fmt.Errorf("encode the delivery: %w", err)
	}
	contents := map[string]map[string][]byte{deliveryName(record.Name): {deliveryKey: append(line, '\n')}}
	c.spec.parts = 0
	for part := range slices.Chunk(c.spec.program.Packed, partSize) {
		contents[partName(record.Name, c.spec.parts)] = map[string][]byte{partKey: part}
		c.spec.parts++
	}
	var made []*corev1.Secret
	defer func() { err = errors.Join(err, c.dispose(context.WithoutCancel(ctx), made)) }()
	for name, data := range contents {
		if err := c.sweepLetter(ctx, record.Namespace, name); err != nil {
			return err
		}
		secret, err := c.client.CoreV1().Secrets(record.Namespace).Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: record.Namespace, OwnerReferences: []metav1.OwnerReference{*c.spec.owner}},
			Data:       data,
		}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("create secret %s/%s: %w", record.Namespace, name, err)
		}
		made = append(made, secret)
	}
	pod, err := c.make(ctx, report)
	if err != nil {
		return err
	}
	return c.awaitAnswer(ctx, pod)
}

// dispose deletes these very Secrets, and none that has such a name by now; those that
// are gone are fine.
func (c *Carrier) dispose(ctx context.Context, made []*corev1.Secret) error {
	var errs []error
	for _, secret := range made {
		uid := secret.UID
		err := c.client.CoreV1().Secrets(secret.Namespace).Delete(ctx, secret.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("delete secret %s/%s: %w", secret.Namespace, secret.Name, err))
		}
	}
	return errors.Join(errs...)
}

// sweepLetter deletes what a run that was killed has left under a name: a Secret that a
// record of this name owns, and nothing else. Any other is refused.
func (c *Carrier) sweepLetter(ctx context.Context, namespace, name string) error {
	there, err := c.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("get secret %s/%s: %w", namespace, name, err)
	}
	if owners := there.OwnerReferences; len(owners) != 1 || owners[0].Kind != "Secret" || owners[0].Name != c.spec.owner.Name {
		return plan.Refuse(fmt.Errorf("secret %s/%s already exists and was not created by kubectl lifecycle", namespace, name),
			"look at it; if nothing needs it: %s", text.Command("kubectl", "-n", namespace, "delete", "secret", name))
	}
	return c.dispose(ctx, []*corev1.Secret{there})
}

// awaitAnswer waits until the pod has ended, and reads the program's answer from
// its termination message: nothing else comes back from a node like this.
func (c *Carrier) awaitAnswer(ctx context.Context, pod *corev1.Pod) error {
	limited, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	var end *corev1.ContainerStateTerminated
	_, err := watchtools.UntilWithSync(limited, c.only(pod), &corev1.Pod{}, nil, func(e watch.Event) (bool, error) {
		got, ok := e.Object.(*corev1.Pod)
		if !ok || got.UID != pod.UID {
			return false, nil
		}
		if e.Type == watch.Deleted {
			return false, fmt.Errorf("pod %s/%s was deleted", pod.Namespace, pod.Name)
		}
		for _, s := range got.Status.ContainerStatuses {
			end = s.State.Terminated
		}
		if end != nil {
			return true, nil
		}
		_, _, err := podState(got)
		return false, err
	})
	if err != nil {
		return fmt.Errorf("wait until the program has reached node %s: %w", pod.Spec.NodeName, err)
	}
	answer, found := findAnswer([]byte(end.Message))
	switch {
	case found && answer.Error != "":
		return plan.Refuse(fmt.Errorf("node %s: %s", pod.Spec.NodeName, answer.Error), "%s", wire.Advice(pod.Spec.NodeName, answer.Hint))
	case found:
		return nil
	case strings.Contains(end.Message, noPlace):
		return unplaced(pod.Spec.NodeName)
	}
	return plan.Refuse(fmt.Errorf("the program did not reach node %s: exit code %d%s", pod.Spec.NodeName, end.ExitCode, tail(end.Message)),
		"the host needs sh, cat, gzip and nsenter in /usr/bin; or let the API server reach the kubelet, so that the program can be streamed")
}

// The names begin as no record's does, whatever the nodes are called.
func partName(record string, n int) string { return fmt.Sprintf("lifecycle.part-%02d.%s", n, record) }

func deliveryName(record string) string { return "lifecycle.letter." + record }

// unpacker feeds the receiver what attach would have: the program and then the
// delivery. $1 and $2 are the receiver's arguments, $3 is the receiver, $4 the place
// of the host's files and $5 the directories of its libraries (podSpec.onHost). What
// the program answers is the pod's last word.
const unpacker = `place=$4 libraries=$5
host() { tool=$1; shift; "$place/linker" --inhibit-cache --library-path "$libraries" "$place/usr/bin/$tool" "$@"; }
{ echo; host cat "$place"/parcel/part-*/part | host gzip -dc; host cat "$place/parcel/letter/delivery"; } |
host nsenter -t 1 -m -u -i -n -p -- /bin/sh -c "$3" receiver "$1" "$2" >/dev/termination-log 2>&1
`

// unpacks makes a pod one into which nothing is streamed.
func unpacks(pod *corev1.Pod, s podSpec) {
	container := &pod.Spec.Containers[0]
	container.Stdin, container.StdinOnce = false, false
	container.Command = slices.Concat(s.withoutEnvironment(), s.onHost("sh"),
		[]string{"-c", unpacker, "unpacker", fmt.Sprint(len(s.program.Program)), s.program.SHA256, receiver, s.mountDir, s.libraries()})
	add := func(volume, secret, path string) {
		only := int32(0o400)
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: secret, DefaultMode: &only},
		}})
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: path, ReadOnly: true})
	}
	add("letter", deliveryName(s.name), s.mountDir+"/parcel/letter")
	for n := range s.parts {
		add(fmt.Sprintf("part-%02d", n), partName(s.name, n), fmt.Sprintf("%s/parcel/part-%02d", s.mountDir, n))
	}
}
