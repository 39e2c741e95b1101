package redact

// EventID gives the id of an event, or what refers to it, as it is written.
func (r *Redactor) EventID(id string) string {
	if r.policy.Identifiers != Hash {
		return id
	}
	return r.pseudonyms[domainEvent].of(id)
}
