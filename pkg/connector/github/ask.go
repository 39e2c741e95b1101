package github

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// perPage is the longest page of GitHub's lists, shortPage what is asked for when
// that takes too long.
const (
	perPage   = 100
	shortPage = 10
)

// maxPages bounds how many pages of one list are read: more than that is no list but
// a loop.
const maxPages = 1000

// errEndless is a list that does not end.
var errEndless = errors.New("a list with more pages than there can be")

// asking is what requests about a repository have in common.
type asking struct {
	source  *source
	repo    *repository
	stream  string
	purpose string
}

func (s *source) asking(r *repository, stream, purpose string) asking {
	return asking{source: s, repo: r, stream: stream, purpose: purpose}
}

// get reads one answer. path is below the repository and escaped: "commits?sha=main".
// next is the address of the page behind it, empty for none.
func (a asking) get(ctx context.Context, path string, into any) (next string, err error) {
	return a.read(ctx, "repos/"+url.PathEscape(a.repo.owner)+"/"+url.PathEscape(a.repo.short)+"/"+path, into)
}

func (a asking) read(ctx context.Context, address string, into any) (next string, err error) {
	api, ctx, err := a.source.client.on(ctx, a.repo.owner, a.stream, a.purpose)
	if err != nil {
		return "", err
	}
	req, err := api.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := api.Do(ctx, req, into)
	if err != nil {
		return "", err
	}
	return nextPage(resp.Header.Values("Link")), nil
}

// pages reads a list page by page until take has enough. GitHub's own links are
// followed, since its lists do not all count pages alike. A first page that GitHub
// is too slow for is asked for again in tenths: it gives up after ten seconds. So is
// one that is too large, since messages may be long.
func pages[P any](ctx context.Context, a asking, path string, query url.Values, take func(page *P) (more bool, err error)) error {
	address := a.address(path, query, perPage)
	for n := range maxPages {
		page := new(P)
		next, err := a.read(ctx, address, page)
		if n == 0 && (isTooSlow(err) || errors.Is(err, errTooLarge)) {
			page = new(P)
			next, err = a.read(ctx, a.address(path, query, shortPage), page)
		}
		if err != nil {
			return err
		}
		more, err := take(page)
		if err != nil || !more || next == "" {
			return err
		}
		address = next
	}
	return errEndless
}

func (a asking) address(path string, query url.Values, per int) string {
	all := url.Values{}
	for k, v := range query {
		all[k] = v
	}
	all.Set("per_page", itoa(per))
	return "repos/" + url.PathEscape(a.repo.owner) + "/" + url.PathEscape(a.repo.short) + "/" + path + "?" + all.Encode()
}

// linkForm is one link of a Link header: an address in angle brackets, which may hold
// commas, and its parameters.
var linkForm = regexp.MustCompile(`<([^<>]*)>((?:\s*;\s*[A-Za-z*]+\s*=\s*(?:"[^"]*"|[^\s",;]*))*)`)

// paramForm is one parameter of a link.
var paramForm = regexp.MustCompile(`;\s*([A-Za-z*]+)\s*=\s*(?:"([^"]*)"|([^\s",;]*))`)

// nextPage finds the address with the relation next in Link headers (RFC 8288).
func nextPage(headers []string) string {
	for _, link := range linkForm.FindAllStringSubmatch(strings.Join(headers, ", "), -1) {
		for _, param := range paramForm.FindAllStringSubmatch(link[2], -1) {
			if strings.EqualFold(param[1], "rel") && slices.Contains(strings.Fields(strings.ToLower(param[2]+param[3])), "next") {
				return link[1]
			}
		}
	}
	return ""
}

// sideBySide calls do for 0 to n-1, a few at once, in the order of the numbers. It
// returns when all have ended.
func sideBySide(n int, do func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, maxConcurrent) {
		wg.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
