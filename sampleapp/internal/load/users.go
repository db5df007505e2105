package load

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"sync/atomic"
)

// userCount is how many users the load plays, each with cookies of their own.
const userCount = 16

// users sends requests as one user after the other.
type users struct {
	next http.RoundTripper
	turn atomic.Int64
	jars [userCount]*cookiejar.Jar
}

// asUsers returns a client that differs from the given one in its users alone.
func asUsers(client *http.Client) (*http.Client, error) {
	u := &users{next: client.Transport}
	if u.next == nil {
		u.next = http.DefaultTransport
	}
	for i := range u.jars {
		var err error
		if u.jars[i], err = cookiejar.New(nil); err != nil {
			return nil, fmt.Errorf("make a cookie jar: %w", err)
		}
	}
	own := *client
	own.Transport = u
	return &own, nil
}

// RoundTrip implements [http.RoundTripper].
func (u *users) RoundTrip(r *http.Request) (*http.Response, error) {
	jar := u.jars[u.turn.Add(1)%userCount]
	r = r.Clone(r.Context()) // a round tripper must not change the request it is given
	for _, cookie := range jar.Cookies(r.URL) {
		r.AddCookie(cookie)
	}
	response, err := u.next.RoundTrip(r)
	if err == nil {
		jar.SetCookies(r.URL, response.Cookies())
	}
	return response, err
}
