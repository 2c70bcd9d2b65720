// SPDX-License-Identifier: Apache-2.0

package marks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// rolePrefix is the beginning of the labels that "kubectl get nodes" shows as roles.
const rolePrefix = "node-role.kubernetes.io/"

// Marks are what a node gets; the zero value is nothing.
type Marks struct {
	Labels map[string]string
	Taints []corev1.Taint
}

// None reports whether a node gets nothing.
func (m Marks) None() bool { return len(m.Labels) == 0 && len(m.Taints) == 0 }

// Parse reads roles (worker), labels (KEY=VALUE) and taints (KEY[=VALUE]:EFFECT) as kubectl
// label and kubectl taint take them. A key that is named twice is an error, and so is what
// takes something away (KEY-): a node that joins has nothing yet.
func Parse(roles, labels, taints []string) (Marks, error) {
	m := Marks{Labels: map[string]string{}}
	for _, role := range roles {
		if strings.Contains(role, "/") || strings.Contains(role, "=") {
			return Marks{}, fmt.Errorf("--role must be a name such as worker, got %q", role)
		}
		if err := m.label(rolePrefix+role, ""); err != nil {
			return Marks{}, fmt.Errorf("--role %q: %w", role, err)
		}
	}
	for _, label := range labels {
		key, value, pair := strings.Cut(label, "=")
		if !pair {
			return Marks{}, fmt.Errorf("--labels must be KEY=VALUE, got %q", label)
		}
		if err := m.label(key, value); err != nil {
			return Marks{}, fmt.Errorf("--labels %q: %w", label, err)
		}
	}
	for _, words := range taints {
		taint, err := parseTaint(words)
		if err != nil {
			return Marks{}, err
		}
		if slices.ContainsFunc(m.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&taint) }) {
			return Marks{}, fmt.Errorf("--taints names %s:%s twice", taint.Key, taint.Effect)
		}
		m.Taints = append(m.Taints, taint)
	}
	return m, nil
}

func (m Marks) label(key, value string) error {
	if wrong := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(wrong) > 0 {
		return fmt.Errorf("it is no label: %s", wrong[0])
	}
	if _, twice := m.Labels[key]; twice {
		return fmt.Errorf("the label %s is named twice", key)
	}
	m.Labels[key] = value
	return nil
}

func parseTaint(words string) (corev1.Taint, error) {
	at := strings.LastIndex(words, ":")
	if at < 0 {
		return corev1.Taint{}, fmt.Errorf("--taints must be KEY=VALUE:EFFECT or KEY:EFFECT, got %q", words)
	}
	key, value, _ := strings.Cut(words[:at], "=")
	taint := corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(words[at+1:])}
	effects := []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}
	if !slices.Contains(effects, taint.Effect) {
		return taint, fmt.Errorf("--taints %q: the effect must be NoSchedule, PreferNoSchedule or NoExecute", words)
	}
	if wrong := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(wrong) > 0 {
		return taint, fmt.Errorf("--taints %q: it is no taint: %s", words, wrong[0])
	}
	return taint, nil
}

// change is what a node lacks of the marks: labels to set, and the whole list of its
// taints; nil for what needs no change. A taint of the same key and effect gets the value
// that is wanted, all others stay.
func (m Marks) change(node *corev1.Node) (labels map[string]string, taints []corev1.Taint) {
	for _, key := range slices.Sorted(maps.Keys(m.Labels)) {
		if value, there := node.Labels[key]; !there || value != m.Labels[key] {
			if labels == nil {
				labels = map[string]string{}
			}
			labels[key] = m.Labels[key]
		}
	}
	all, changed := slices.Clone(node.Spec.Taints), false
	for _, wanted := range m.Taints {
		i := slices.IndexFunc(all, func(t corev1.Taint) bool { return t.MatchTaint(&wanted) })
		switch {
		case i < 0:
			all, changed = append(all, wanted), true
		case all[i].Value != wanted.Value:
			all[i].Value, changed = wanted.Value, true
		}
	}
	if !changed {
		return labels, nil
	}
	return labels, all
}
