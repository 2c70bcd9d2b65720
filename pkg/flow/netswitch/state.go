// SPDX-License-Identifier: Apache-2.0

package netswitch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// Name is that of the ConfigMap.
	Name = "lifecycle-network-switch"
	// namespace is where it is, whatever namespace runs take: there is one network, and
	// two switches of it exclude each other.
	namespace = metav1.NamespaceSystem
)

// Phase is how far a switch is.
type Phase string

// The phases, in their order. Each says what is done next.
const (
	Uninstall Phase = "uninstall" // the old network goes out of the API
	Clean     Phase = "clean"     // the hosts are cleaned of it
	Install   Phase = "install"   // the new network is installed
	Restart   Phase = "restart"   // pods from before get it
)

func phases() []Phase { return []Phase{Uninstall, Clean, Install, Restart} }

// State is how far a switch is.
type State struct {
	From, To string
	// Agents are the beginnings of the old agents' names.
	Agents []string
	Phase  Phase
	// Cleaned are the nodes whose hosts are clean.
	Cleaned []string
	// Installed is when the new network's installation began, by the API server's clock:
	// pods that had a network before have the old one.
	Installed time.Time

	config *corev1.ConfigMap
}

// Past reports whether a phase is over.
func (s State) Past(p Phase) bool {
	return slices.Index(phases(), s.Phase) > slices.Index(phases(), p)
}

// Store is where the state is kept.
type Store struct{ Client kubernetes.Interface }

// Load reads the state; false if no switch is under way.
func (s Store) Load(ctx context.Context) (State, bool, error) {
	config, err := s.Client.CoreV1().ConfigMaps(namespace).Get(ctx, Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return State{}, false, nil
	}
	if err != nil {
		return State{}, false, fmt.Errorf("get configmap %s/%s: %w", namespace, Name, err)
	}
	state, err := decode(config)
	if err != nil {
		return State{}, false, plan.Refuse(fmt.Errorf("the state of a switch in configmap %s/%s is damaged: %w", namespace, Name, err),
			"look at it; without it, nothing is known of the switch: kubectl delete configmap -n %s %s", text.Quote(namespace), Name)
	}
	return state, true, nil
}

// decode reads what is in a ConfigMap.
func decode(config *corev1.ConfigMap) (State, error) {
	state := State{From: config.Data["from"], To: config.Data["to"], Phase: Phase(config.Data["phase"]), config: config}
	if state.From == "" || state.To == "" || !slices.Contains(phases(), state.Phase) {
		return state, fmt.Errorf("from %q to %q, phase %q", state.From, state.To, state.Phase)
	}
	var errs []error
	for key, into := range map[string]any{"agents": &state.Agents, "cleaned": &state.Cleaned} {
		if raw := config.Data[key]; raw != "" {
			if err := json.Unmarshal([]byte(raw), into); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", key, err))
			}
		}
	}
	if raw := config.Data["installed"]; raw != "" {
		at, err := time.Parse(time.RFC3339, raw)
		state.Installed, errs = at, append(errs, err)
	}
	if state.Phase == Restart && state.Installed.IsZero() { // no pod would be from before
		errs = append(errs, errors.New("it does not say when the installation began"))
	}
	return state, errors.Join(errs...)
}

// encode is what a state looks like in a ConfigMap.
func (s State) encode(config *corev1.ConfigMap) error {
	agents, err := json.Marshal(s.Agents)
	cleaned, err2 := json.Marshal(s.Cleaned)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("encode the state of the switch: %w", err)
	}
	config.Data = map[string]string{"from": s.From, "to": s.To, "phase": string(s.Phase), "agents": string(agents), "cleaned": string(cleaned)}
	if !s.Installed.IsZero() {
		config.Data["installed"] = s.Installed.UTC().Format(time.RFC3339)
	}
	return nil
}

// Begin writes the state before the first change. One that is there already is another
// command's.
func (s Store) Begin(ctx context.Context, state State) (State, error) {
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: Name, Namespace: namespace,
		Annotations: map[string]string{"lifecycle.kubectl.io/about": "how far 'kubectl lifecycle cni switch' is; run it again to go on"}}}
	if err := state.encode(config); err != nil {
		return state, err
	}
	made, err := s.Client.CoreV1().ConfigMaps(namespace).Create(ctx, config, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return state, plan.Refuse(errors.New("another command has just begun a switch of the network"),
			"wait for it, or run the same command again once it has ended")
	}
	if err != nil {
		return state, fmt.Errorf("create configmap %s/%s: %w", namespace, Name, err)
	}
	state.config = made
	return state, nil
}

// Save writes the state; a second command that has changed it in between is noticed. When
// the installation begins, the API server's own time of that write is kept.
func (s Store) Save(ctx context.Context, state State) (State, error) {
	for {
		config := state.config.DeepCopy()
		if err := state.encode(config); err != nil {
			return state, err
		}
		saved, err := s.Client.CoreV1().ConfigMaps(namespace).Update(ctx, config, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			return state, plan.Refuse(errors.New("another command works on this switch of the network"), "let one of them end, then run it again")
		}
		if err != nil {
			return state, fmt.Errorf("update configmap %s/%s: %w", namespace, Name, err)
		}
		state.config = saved
		if state.Phase != Install || !state.Installed.IsZero() {
			return state, nil
		}
		state.Installed = written(saved)
	}
}

// written is when the API server has written an object last.
func written(config *corev1.ConfigMap) time.Time {
	var last time.Time
	for _, f := range config.ManagedFields {
		if f.Time != nil && f.Time.After(last) {
			last = f.Time.Time
		}
	}
	if last.IsZero() {
		last = time.Now()
	}
	return last.Truncate(time.Second)
}

// End deletes the state.
func (s Store) End(ctx context.Context) error {
	err := s.Client.CoreV1().ConfigMaps(namespace).Delete(ctx, Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete configmap %s/%s: %w", namespace, Name, err)
	}
	return nil
}

// Resumes refuses a command that asks for another switch than the one under way.
func (s State) Resumes(from, to string) error {
	if s.To == to && (from == "" || from == s.From) {
		return nil
	}
	return plan.Refuse(fmt.Errorf("a switch from %s to %s is under way (phase %s)", s.From, s.To, s.Phase), "finish it first: %s",
		strings.Join([]string{"kubectl lifecycle cni switch", text.Quote(s.To)}, " "))
}
