package load

import (
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/cacheu/plumbline/sampleapp/internal/seed"
)

// Request is one request of the load.
type Request struct {
	// Route is the template of the path, as the gateway spells it.
	Route  string
	Method string
	// Path is the path and query.
	Path string
	// Body is JSON, or empty.
	Body string
}

// Target is a route and its share of the load.
type Target struct {
	Method, Route string
	// Weight is the share in percent.
	Weight int
	build  func(*mix) (path, body string)
}

// Targets returns every route of the gateway with its weight. The weights add
// up to 100.
func Targets() []Target {
	return []Target{
		{http.MethodGet, "/api/products/:id", 26, func(m *mix) (string, string) {
			return fmt.Sprintf("/api/products/%d", m.popular(m.sizes.Products)), ""
		}},
		{http.MethodGet, "/api/users/:id", 20, func(m *mix) (string, string) {
			return fmt.Sprintf("/api/users/%d", m.user()), ""
		}},
		{http.MethodGet, "/api/orders", 20, func(m *mix) (string, string) {
			return fmt.Sprintf("/api/orders?user_id=%d", m.user()), ""
		}},
		{http.MethodGet, "/api/products", 12, func(m *mix) (string, string) {
			return fmt.Sprintf("/api/products?limit=20&after=%d", 1+20*(m.popular(m.sizes.Products/20)-1)), ""
		}},
		{http.MethodGet, "/api/posts", 10, func(m *mix) (string, string) {
			return fmt.Sprintf("/api/posts?limit=20&before=%d", 20+m.popular(m.sizes.Posts-20)), ""
		}},
		{http.MethodPost, "/api/orders", 8, func(m *mix) (string, string) { return "/api/orders", m.order() }},
		{http.MethodPost, "/api/invites", 4, func(m *mix) (string, string) {
			m.invites++
			return "/api/invites", fmt.Sprintf(`{"inviter_id": %d, "email": "guest-%s-%d@example.com"}`, m.user(), m.run, m.invites)
		}},
	}
}

// Sequence returns a function that returns the requests of a load one after the
// other, the same ones every time. run goes into the addresses of invites, and
// sizes bound the ids that are asked for. The function is for one goroutine.
func Sequence(run string, sizes seed.Sizes) func() Request {
	return newMix(run, sizes).next
}

// mix is the sequence of requests. It is used by one goroutine.
type mix struct {
	random  *rand.Rand
	targets []Target
	sizes   seed.Sizes
	run     string
	invites int
}

// newMix returns the sequence. run goes into the addresses of invites, which
// would otherwise have been sent before; sizes bound the ids.
func newMix(run string, sizes seed.Sizes) *mix {
	return &mix{random: rand.New(rand.NewPCG(1, 2)), targets: Targets(), sizes: sizes, run: run}
}

func (m *mix) next() Request {
	n := m.random.IntN(100)
	for _, t := range m.targets {
		if n -= t.Weight; n < 0 {
			path, body := t.build(m)
			return Request{Route: t.Route, Method: t.Method, Path: path, Body: body}
		}
	}
	panic("the weights of the load add up to less than 100")
}

// user returns the id of any user, each as likely as another.
func (m *mix) user() int { return 1 + m.random.IntN(m.sizes.Users) }

// popular returns a number of 1 to n, small ones far more often: half of the
// calls fall on an eighth of the numbers.
func (m *mix) popular(n int) int {
	x := m.random.Float64()
	return 1 + int(x*x*x*float64(n))
}

func (m *mix) order() string {
	lines := ""
	for i := range 1 + m.random.IntN(4) {
		if i > 0 {
			lines += ", "
		}
		lines += fmt.Sprintf(`{"product_id": %d, "quantity": %d}`, m.popular(m.sizes.Products), 1+m.random.IntN(12))
	}
	return fmt.Sprintf(`{"user_id": %d, "lines": [%s]}`, m.user(), lines)
}
