package invite

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net"
	"net/http"
	"strings"
	"unicode"

	"github.com/claudemesh/claudemesh/edge/wire"
	"github.com/claudemesh/claudemesh/functions/door"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

var page = template.Must(template.New("page").Parse(pageSource))

// pagePolicy lets the page show itself and nothing else: no script, no image,
// no other host. A script could read the fragment of the address, which is the
// secret that the broker must not learn.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// pageView is what the page shows. Names were written by strangers: the template
// escapes them, and fences in those whose letters turn the text around.
type pageView struct {
	Style     template.CSS
	Trouble   string // instead of all that follows
	Advice    string
	Mesh      string
	Title     string // Mesh without what no title can fence in
	InvitedBy string
	Admin     bool
	Expires   string
	Link      string // without the fragment
}

// troubles says in a person's words why there is nothing to join.
var troubles = map[int][2]string{
	http.StatusNotFound:           {"There is no such invite", "Check that the address is complete, or ask for a new invite."},
	http.StatusGone:               {"This invite is no longer good", "It was withdrawn, has expired, or was used as often as it may be. Ask for a new one."},
	http.StatusTooManyRequests:    {"Too many requests", "Many people at your address are looking at invites. Try again in a minute."},
	http.StatusServiceUnavailable: {"Not available just now", "Try again in a moment."},
}

// servePage shows an invite to a person: which mesh, who invites, what to do.
func (h *handler) servePage(w http.ResponseWriter, r *http.Request) {
	view, status := pageView{Style: template.CSS(pageStyle)}, http.StatusOK
	mesh, invite, err := h.look(w, r)
	if err != nil {
		status = h.claimRefusal(r, err).status
		view.Trouble, view.Advice = troubles[status][0], troubles[status][1]
	} else {
		view.Mesh, view.InvitedBy, view.Admin = mesh.DisplayName(), invite.InvitedBy, invite.Role == wire.RoleAdmin
		view.Title = strings.Map(straight, view.Mesh)
		view.Expires = invite.ExpiresAt.UTC().Format("2 January 2006, 15:04 UTC")
		view.Link = h.webURL(r) + r.URL.Path
	}
	setPageHeaders(w.Header())
	if status == http.StatusServiceUnavailable {
		door.SetRetryAfter(w, door.RetryAfter)
	}
	w.WriteHeader(status)
	_ = page.Execute(w, view) // the reader has gone, there is nobody to tell
}

// straight drops the letters that only steer how others are shown.
func straight(r rune) rune {
	if unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}

func setPageHeaders(h http.Header) {
	h.Del("Access-Control-Allow-Origin") // a page for people, not for other pages
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Robots-Tag", "noindex, nofollow")
}

// webURL is where the page is, as far as the page knows: by what it is told, or
// by the name that the browser asked the edge for, or itself.
func (h *handler) webURL(r *http.Request) string {
	if h.WebURL != "" {
		return strings.TrimRight(h.WebURL, "/")
	}
	host := cmp.Or(r.Header.Get("X-Forwarded-Host"), r.Host)
	if here(r, host) {
		return "http://" + host
	}
	return "https://" + host
}

// here tells whether somebody tries this out on their own machine, without TLS.
func here(r *http.Request, host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return r.TLS == nil && (host == "localhost" || net.ParseIP(strings.Trim(host, "[]")).IsLoopback())
}
