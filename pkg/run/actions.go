package run

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
)

// Action is one thing that was asked of a source: not when, and not what came
// back, so that equal runs have equal actions.
type Action struct {
	// Connector is the instance; Writer.Actions fills it in.
	Connector string `json:"connector"`
	Stream    string `json:"stream"`
	// Method is the verb in the words of the source; Target is what was asked for.
	Method  string `json:"method"`
	Target  string `json:"target"`
	Purpose string `json:"purpose,omitempty"`
	// Requests counts them, retries included.
	Requests int `json:"requests"`
}

// Actions adds what an instance asked. The file of actions is written by Finish,
// sorted; equal actions become one with the sum of the requests.
func (w *Writer) Actions(instance string, actions []Action) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return fmt.Errorf("write actions of %s: %w", instance, ErrFinished)
	}
	for _, a := range actions {
		a.Connector = instance
		w.actions = append(w.actions, a)
	}
	return nil
}

// writeActions writes the file, which exists even when nothing was asked: a run
// without any file could not be signed.
func (w *Writer) writeActions() (File, error) {
	slices.SortFunc(w.actions, compareActions)
	f, err := w.create(filepath.Join(w.Dir(), ActionsFile))
	if err != nil {
		return File{}, fmt.Errorf("write %s: %w", ActionsFile, err)
	}
	out := newOutput(ActionsFile, f)
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	for i := 0; i < len(w.actions); {
		a := w.actions[i]
		for i++; i < len(w.actions) && compareActions(a, w.actions[i]) == 0; i++ {
			a.Requests += w.actions[i].Requests
		}
		buf.Reset()
		if err = enc.Encode(a); err == nil {
			err = out.line(bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
		}
		if err != nil {
			_ = f.Close()
			return File{}, err
		}
	}
	return out.finish()
}

func compareActions(a, b Action) int {
	return cmp.Or(
		cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Method, b.Method),
		cmp.Compare(a.Target, b.Target), cmp.Compare(a.Purpose, b.Purpose))
}
