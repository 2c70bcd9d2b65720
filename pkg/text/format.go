// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Safe is text that this program wrote itself or has filtered already: Sprintf
// and Fprintf leave it as it is. It is for whole screens and for colours; never
// make one of what came from elsewhere.
type Safe string

// Sprintf is fmt.Sprintf whose arguments are made safe first: texts, errors and
// everything that prints as a text pass through Block; numbers, booleans,
// durations of this program's own and Safe texts stay. The format itself is
// the program's.
func Sprintf(format string, args ...any) string { return fmt.Sprintf(format, safe(args)...) }

// Fprintf writes Sprintf to w.
func Fprintf(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, Sprintf(format, args...))
	return err
}

func safe(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		out[i] = safeArg(arg)
	}
	return out
}

// safeArg makes one argument safe. What is not a plain number or boolean is
// printed first, so that no String method and no field goes around the filter.
func safeArg(arg any) any {
	switch v := arg.(type) {
	case nil:
		return nil
	case Safe:
		return string(v)
	case string:
		return Block(v)
	case error, fmt.Stringer:
		return Block(fmt.Sprint(v))
	}
	switch reflect.TypeOf(arg).Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return arg
	case reflect.Slice, reflect.Array:
		return safeList(reflect.ValueOf(arg))
	default:
		return Block(fmt.Sprint(arg))
	}
}

// safeList keeps a list a list, so that %v and %q print it as usual.
func safeList(list reflect.Value) []any {
	out := make([]any, list.Len())
	for i := range out {
		out[i] = safeArg(list.Index(i).Interface())
	}
	return out
}

// Join makes each text one line and joins them.
func Join(texts []string, separator string) string {
	lines := make([]string, len(texts))
	for i, t := range texts {
		lines[i] = Line(t)
	}
	return strings.Join(lines, separator)
}
