package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/cacheu/plumbline/internal/testpg"
	"github.com/cacheu/plumbline/sampleapp/internal/api"
	"github.com/cacheu/plumbline/sampleapp/internal/cache"
	"github.com/cacheu/plumbline/sampleapp/internal/jobs"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

var server *testdb.Server

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(testdb.Main(m, &server))
}

// queryCounter counts the statements that reach PostgreSQL.
type queryCounter struct{ n atomic.Int64 }

func (q *queryCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	q.n.Add(1)
	return ctx
}

func (q *queryCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// shop is an api with a database of its own.
type shop struct {
	t       *testing.T
	url     string
	db      *pgxpool.Pool
	queries *queryCounter
	redis   string
	states  chan error // changes of Redis's state
}

func newShop(t *testing.T) *shop { return newShopWithRedis(t, testdb.Redis(t)) }

func newShopWithRedis(t *testing.T, redis string) *shop {
	t.Helper()
	s := &shop{t: t, queries: &queryCounter{}, redis: redis, states: make(chan error, 10)}
	var err error
	s.db, err = store.Open(t.Context(), store.Config{URL: server.New(t), Tracer: s.queries})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.db.Close)
	c := cache.Open(cache.Config{Addr: redis, OnState: func(_ context.Context, err error) { s.states <- err }})
	t.Cleanup(func() { c.Close() })
	inserter, err := jobs.NewInserter(nil, s.db)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(api.New(api.Config{DB: s.db, Cache: c, Jobs: inserter}))
	t.Cleanup(h.Close)
	s.url = h.URL
	return s
}

// call makes a request, and returns the status, the answer and the number of
// statements that it took.
func (s *shop) call(method, path, body string) (status int, answer string, queries int64) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	before := s.queries.n.Load()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(raw), s.queries.n.Load() - before
}

// get decodes the answer of a request that must succeed.
func get[T any](s *shop, path string) (value T, queries int64) {
	s.t.Helper()
	status, answer, queries := s.call("GET", path, "")
	if status != 200 {
		s.t.Fatalf("GET %s answers %d %s, want 200", path, status, answer)
	}
	if err := json.Unmarshal([]byte(answer), &value); err != nil {
		s.t.Fatalf("GET %s answers %s: %v", path, answer, err)
	}
	return value, queries
}

// row reads one value from the database.
func row[T any](s *shop, sql string, args ...any) T {
	s.t.Helper()
	var value T
	if err := s.db.QueryRow(s.t.Context(), sql, args...).Scan(&value); err != nil {
		s.t.Fatal(err)
	}
	return value
}

func TestBadInputIsAnsweredWithTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	long := strings.Repeat("x", 300)
	for sentence, c := range map[string]struct {
		request, body string
		status        int
		want          string
	}{
		"a user id that is a word":           {"GET /api/users/me", "", 400, `{"error":"want a whole number of at least 1","field":"id"}`},
		"a user id of zero":                  {"GET /api/users/0", "", 400, `{"error":"want a whole number of at least 1","field":"id"}`},
		"a user id that does not fit":        {"GET /api/users/9223372036854775808", "", 400, `{"error":"want a whole number of at least 1","field":"id"}`},
		"SQL as a user id":                   {"GET /api/users/1%20or%201=1", "", 400, `{"error":"want a whole number of at least 1","field":"id"}`},
		"a user that does not exist":         {"GET /api/users/9223372036854775807", "", 404, `{"error":"there is none with the id 9223372036854775807","field":"id"}`},
		"a product that does not exist":      {"GET /api/products/51", "", 404, `{"error":"there is none with the id 51","field":"id"}`},
		"a page that is too large":           {"GET /api/products?limit=101", "", 400, `{"error":"want a whole number of 1 to 100","field":"limit"}`},
		"a page of nothing":                  {"GET /api/posts?limit=0", "", 400, `{"error":"want a whole number of 1 to 100","field":"limit"}`},
		"a negative cursor":                  {"GET /api/products?after=-1", "", 400, `{"error":"want a whole number of at least 1","field":"after"}`},
		"a cursor that is no number":         {"GET /api/posts?before=x", "", 400, `{"error":"want a whole number of at least 1","field":"before"}`},
		"orders of nobody in particular":     {"GET /api/orders", "", 400, `{"error":"want a whole number of at least 1","field":"user_id"}`},
		"orders of an unknown user":          {"GET /api/orders?user_id=201", "", 404, `{"error":"there is none with the id 201","field":"user_id"}`},
		"an order that is no JSON":           {"POST /api/orders", "x", 400, `{"error":"want a JSON object","field":"body"}`},
		"an empty body":                      {"POST /api/orders", "", 400, `{"error":"want a JSON object","field":"body"}`},
		"an order with something after it":   {"POST /api/orders", `{"user_id":1} {}`, 400, `{"error":"want one JSON object and nothing after it","field":"body"}`},
		"an order with a misspelt field":     {"POST /api/orders", `{"user":1}`, 400, `{"error":"there is no such field","field":"user"}`},
		"an order whose user is a word":      {"POST /api/orders", `{"user_id":"me"}`, 400, `{"error":"want a JSON whole number, got a string","field":"user_id"}`},
		"an order without a user":            {"POST /api/orders", `{"lines":[{"product_id":1,"quantity":1}]}`, 400, `{"error":"want a whole number of at least 1","field":"user_id"}`},
		"an order of nothing":                {"POST /api/orders", `{"user_id":1,"lines":[]}`, 400, `{"error":"want 1 to 50 lines, got 0","field":"lines"}`},
		"an order of too many lines":         {"POST /api/orders", `{"user_id":1,"lines":[{}` + strings.Repeat(",{}", 50) + `]}`, 400, `{"error":"want 1 to 50 lines, got 51","field":"lines"}`},
		"a line without a product":           {"POST /api/orders", `{"user_id":1,"lines":[{"product_id":1,"quantity":1},{"quantity":1}]}`, 400, `{"error":"want a whole number of at least 1","field":"lines[1].product_id"}`},
		"a line of too many":                 {"POST /api/orders", `{"user_id":1,"lines":[{"product_id":1,"quantity":1001}]}`, 400, `{"error":"want a whole number of 1 to 1000","field":"lines[0].quantity"}`},
		"an order by an unknown user":        {"POST /api/orders", `{"user_id":999,"lines":[{"product_id":1,"quantity":1}]}`, 404, `{"error":"there is none with the id 999","field":"user_id"}`},
		"an order of an unknown product":     {"POST /api/orders", `{"user_id":1,"lines":[{"product_id":1,"quantity":1},{"product_id":77,"quantity":1}]}`, 404, `{"error":"there is none with the id 77","field":"lines[1].product_id"}`},
		"a body that is too large":           {"POST /api/orders", `{"user_id":1,"lines":[` + strings.Repeat(" ", 64<<10) + `]}`, 413, `{"error":"want at most 65536 bytes","field":"body"}`},
		"an invite to no address":            {"POST /api/invites", `{"inviter_id":1,"email":"nobody"}`, 400, `{"error":"want an email address of at most 254 characters","field":"email"}`},
		"an invite to a name and address":    {"POST /api/invites", `{"inviter_id":1,"email":"N <n@example.com>"}`, 400, `{"error":"want an email address of at most 254 characters","field":"email"}`},
		"an invite to an endless address":    {"POST /api/invites", `{"inviter_id":1,"email":"` + long + `@example.com"}`, 400, `{"error":"want an email address of at most 254 characters","field":"email"}`},
		"an invite with a line break":        {"POST /api/invites", `{"inviter_id":1,"email":"a@example.com\r\nBcc: b@example.com"}`, 400, `{"error":"want an email address of at most 254 characters","field":"email"}`},
		"an invite with a zero byte":         {"POST /api/invites", `{"inviter_id":1,"email":"\"a\u0000b\"@example.com"}`, 400, `{"error":"want an email address of at most 254 characters","field":"email"}`},
		"an invite by nobody":                {"POST /api/invites", `{"email":"a@example.com"}`, 400, `{"error":"want a whole number of at least 1","field":"inviter_id"}`},
		"an invite by somebody unknown":      {"POST /api/invites", `{"inviter_id":201,"email":"a@example.com"}`, 404, `{"error":"there is none with the id 201","field":"inviter_id"}`},
		"a path that does not exist":         {"GET /api/nothing", "", 404, `{"error":"there is no such path"}`},
		"a method that the path has not got": {"DELETE /api/orders", "", 405, `{"error":"the path does not take this method"}`},
	} {
		t.Run(sentence, func(t *testing.T) {
			method, path, _ := strings.Cut(c.request, " ")
			if status, answer, _ := s.call(method, path, c.body); status != c.status || answer != c.want {
				t.Errorf("%s answers %d %s, want %d %s", c.request, status, answer, c.status, c.want)
			}
		})
	}
	if n := row[int](s, "select count(*)::int from orders where id > $1", testdb.SmallSizes().Orders); n != 0 {
		t.Errorf("bad input made %d orders", n)
	}
	if n := row[int](s, "select count(*)::int from invites"); n != 0 {
		t.Errorf("bad input made %d invites", n)
	}
}

func TestUserComesFromTheDatabaseOnceAndThenFromTheCache(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	first, queries := get[store.User](s, "/api/users/42")
	if first.ID != 42 || first.Email != "user42@example.com" || queries != 1 {
		t.Errorf("got %+v with %d statements, want user 42 with 1", first, queries)
	}
	if _, err := s.db.Exec(t.Context(), "update users set name = 'changed' where id = 42"); err != nil {
		t.Fatal(err)
	}
	second, queries := get[store.User](s, "/api/users/42")
	if second != first || queries != 0 {
		t.Errorf("got %+v with %d statements, want the same from the cache with 0", second, queries)
	}
	if _, _, queries := s.call("GET", "/api/users/404", ""); queries != 1 {
		t.Errorf("an unknown user took %d statements, want 1", queries)
	}
}

func TestProductsAreCachedByPage(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	type page struct {
		Products  []store.Product `json:"products"`
		NextAfter int64           `json:"next_after"`
	}
	first, queries := get[page](s, "/api/products")
	if len(first.Products) != 20 || first.Products[0].ID != 1 || first.NextAfter != 20 || queries != 1 {
		t.Errorf("the first page has %d products from %+v, next %d, %d statements", len(first.Products), first.Products[0], first.NextAfter, queries)
	}
	if _, queries := get[page](s, "/api/products"); queries != 0 {
		t.Errorf("the first page again took %d statements, want 0", queries)
	}
	last, queries := get[page](s, "/api/products?after=40&limit=20")
	if len(last.Products) != 10 || last.Products[9].ID != 50 || last.NextAfter != 0 || queries != 1 {
		t.Errorf("the last page has %d products, next %d, %d statements", len(last.Products), last.NextAfter, queries)
	}
	for _, from := range []string{"the database", "the cache"} {
		if _, answer, _ := s.call("GET", "/api/products?after=50", ""); answer != `{"products":[]}` {
			t.Errorf("the page after the last is %s from %s, want an empty list", answer, from)
		}
	}
	want := first.Products[6]
	for i, statements := range []int64{1, 0} {
		if got, queries := get[store.Product](s, "/api/products/7"); got != want || queries != statements {
			t.Errorf("call %d for product 7 is %+v with %d statements, want %+v with %d", i+1, got, queries, want, statements)
		}
	}
}

func TestPostsAndTheirAuthorsAreOneStatement(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	type page struct {
		Posts      []store.Post `json:"posts"`
		NextBefore int64        `json:"next_before"`
	}
	p, queries := get[page](s, "/api/posts?limit=30")
	if len(p.Posts) != 30 || p.Posts[0].ID != 60 || p.NextBefore != 31 || queries != 1 {
		t.Fatalf("got %d posts from %d, next %d, with %d statements, want 30 from 60, 31, 1", len(p.Posts), p.Posts[0].ID, p.NextBefore, queries)
	}
	for _, post := range p.Posts {
		want := row[string](s, "select u.id || ' ' || u.name from posts p join users u on u.id = p.author_id where p.id = $1", post.ID)
		if got := fmt.Sprint(post.Author.ID, " ", post.Author.Name); got != want {
			t.Errorf("post %d is by %s, want %s", post.ID, got, want)
		}
	}
	if rest, _ := get[page](s, "/api/posts?limit=40&before=31"); len(rest.Posts) != 30 || rest.NextBefore != 0 {
		t.Errorf("the rest is %d posts, next %d, want 30 and no more", len(rest.Posts), rest.NextBefore)
	}
}

func TestShopWorksWithoutRedis(t *testing.T) {
	t.Parallel()
	port, err := testpg.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	s := newShopWithRedis(t, "127.0.0.1:"+port)
	for range 2 {
		if user, queries := get[store.User](s, "/api/users/42"); user.ID != 42 || queries != 1 {
			t.Errorf("got user %d with %d statements, want 42 with 1", user.ID, queries)
		}
	}
	if err := <-s.states; err == nil {
		t.Error("the change of state is reported without an error")
	}
	if n := len(s.states); n != 0 {
		t.Errorf("%d more changes of state, want the first one alone", n)
	}
}
