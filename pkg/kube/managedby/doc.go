// SPDX-License-Identifier: Apache-2.0

// Package managedby says which tool keeps an object as it has it (Helm, Argo CD, Flux,
// an operator), what becomes of a manual edit, and where the value lives. It is pure:
// it reads labels, annotations and references, which anyone who may write the object
// has chosen, and makes no command of words that are no names.
package managedby
