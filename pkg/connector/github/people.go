package github

import (
	"regexp"
	"strings"

	"github.com/rcactl/rcactl/pkg/record"
)

// noreplyForm is the address that GitHub gives to who hides theirs: it holds the
// login.
var noreplyForm = regexp.MustCompile(`^(?:[0-9]+\+)?([A-Za-z0-9][A-Za-z0-9-]*(?:\[bot\])?)@users\.noreply\.[A-Za-z0-9.-]+$`)

// userJSON is an account. It may be null, or empty, where an address belongs to
// nobody.
type userJSON struct {
	Login string `json:"login"`
	Type  string `json:"type"`
}

// signatureJSON is what a commit says of its author or committer.
type signatureJSON struct {
	Email string `json:"email"`
	Date  stamp  `json:"date"`
}

// people turns accounts and addresses into pseudonyms.
type people struct {
	pseudonym func(domain, value string) string
}

func (p people) of(domain, value string) string {
	if p.pseudonym == nil || value == "" {
		return ""
	}
	return p.pseudonym(domain, value)
}

// person gives who it was: by the account, else by the address.
func (p people) person(user *userJSON, email string) record.Person {
	login, bot := "", false
	if user != nil {
		login = user.Login
		bot = user.Type == "Bot"
	}
	if login == "" {
		if found := noreplyForm.FindStringSubmatch(email); found != nil {
			login = found[1]
		}
	}
	bot = bot || isBotLogin(login) || isBotAddress(email)
	if login != "" {
		return record.Person{Pseudonym: p.of("user", login), Bot: bot}
	}
	return record.Person{Pseudonym: p.of("email", email), Bot: bot}
}

// isBotLogin knows the login of an App, and of GitHub itself as the committer of
// what was merged in the browser.
func isBotLogin(login string) bool {
	return strings.HasSuffix(login, "[bot]") || login == "web-flow"
}

func isBotAddress(email string) bool {
	local, host, _ := strings.Cut(strings.ToLower(email), "@")
	return strings.HasSuffix(local, "[bot]") || host == "github.com" && (local == "noreply" || local == "action" || local == "actions")
}
