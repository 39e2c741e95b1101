package secret

import (
	"context"
	"fmt"
)

// env resolves env:NAME through a lookup function, since only cmd may read the
// environment.
func (s Sources) env(_ context.Context, name string) (Value, error) {
	if s.LookupEnv == nil {
		return Value{}, fmt.Errorf("env:%s: no environment here; use file:/path", name)
	}
	text, ok := s.LookupEnv(name)
	if !ok || text == "" {
		return Value{}, fmt.Errorf("env:%s: the variable is not set; set it or use file:/path", name)
	}
	return NewValue([]byte(text)), nil
}
