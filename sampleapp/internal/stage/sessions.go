package stage

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"

	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// Sizes of the scenario sessions.
const (
	instances      = 3
	loggedIn       = 300
	sessionTTL     = time.Hour
	killedInstance = 1
)

// Facts of the scenario sessions.
const (
	factSessions   = "sessions"
	factLoginsLost = "logins_lost"
)

// keeper keeps sessions: who is logged in under which id.
type keeper interface {
	login(ctx context.Context, session, user string) error
	// user returns the empty string for a session that is not known.
	user(ctx context.Context, session string) (string, error)
}

// inMemory is the keeper of one instance alone.
type inMemory struct {
	mu    sync.Mutex
	users map[string]string
}

func (m *inMemory) login(_ context.Context, session, user string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[session] = user
	return nil
}

func (m *inMemory) user(_ context.Context, session string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users[session], nil
}

// inRedis is the keeper that all instances share.
type inRedis struct {
	client *redis.Client
	prefix string
}

func (r inRedis) login(ctx context.Context, session, user string) error {
	return r.client.Set(ctx, r.prefix+"session:"+session, user, sessionTTL).Err()
}

func (r inRedis) user(ctx context.Context, session string) (string, error) {
	user, err := r.client.Get(ctx, r.prefix+"session:"+session).Result()
	if err == redis.Nil { //nolint:errorlint // go-redis returns it as it is
		return "", nil
	}
	return user, err
}

// sessions is a gateway in front of three instances of an api with sessions.
// Its event kills one instance.
func sessions(ctx context.Context, env Env, variant, part string) (*Set, error) {
	if part != Main {
		return instance(env, variant)
	}
	g := &balancer{env: env, parts: env.parts(), lost: map[string]bool{}}
	if err := g.reset(ctx); err != nil {
		return nil, err
	}
	engine := env.engine()
	engine.GET("/api/me", g.forward)
	engine.POST("/api/login", g.forward)
	return &Set{
		Handler: engine, Facts: g.facts, Reset: g.reset, Close: g.parts.close,
		Event: func(context.Context) error { return g.kill(killedInstance) },
	}, nil
}

// instance is one of the api's instances.
func instance(env Env, variant string) (*Set, error) {
	set := &Set{}
	var keep keeper = &inMemory{users: map[string]string{}}
	if variant != scenario.Before {
		client := openRedis(env)
		keep, set.Close = inRedis{client, env.Prefix}, client.Close
	}
	engine := env.engine()
	engine.POST("/api/login", env.handle(func(c *gin.Context) error {
		session := c.Query("session")
		if err := keep.login(c.Request.Context(), session, "user of "+session); err != nil {
			return err
		}
		c.JSON(http.StatusCreated, gin.H{"session": session})
		return nil
	}))
	engine.GET("/api/me", env.handle(func(c *gin.Context) error {
		user, err := keep.user(c.Request.Context(), c.Query("session"))
		if err != nil {
			return err
		}
		if user == "" {
			return &web.Error{Status: http.StatusUnauthorized, Field: "session", Message: "log in first"}
		}
		c.JSON(http.StatusOK, gin.H{"user": user})
		return nil
	}))
	set.Handler = engine
	return set, nil
}

// balancer sends a session always to the same instance, as long as that lives.
type balancer struct {
	env   Env
	parts *parts

	mu      sync.Mutex
	proxies [instances]*httputil.ReverseProxy
	down    [instances]bool // does not answer
	killed  [instances]bool
	lost    map[string]bool // sessions that were logged in and are not known
}

// reset starts what is not running and logs everybody in.
func (g *balancer) reset(ctx context.Context) error {
	for i := range instances {
		g.mu.Lock()
		running := g.proxies[i] != nil && !g.killed[i]
		g.mu.Unlock()
		if running {
			continue
		}
		part, err := g.parts.start(ctx, fmt.Sprintf("instance-%d", i))
		if err != nil {
			return err
		}
		target, err := url.Parse(part.URL)
		if err != nil {
			return fmt.Errorf("read the address of an instance: %w", err)
		}
		g.mu.Lock()
		g.proxies[i], g.down[i], g.killed[i] = g.proxy(i, target), false, false
		g.mu.Unlock()
	}
	client := &http.Client{Timeout: timeout}
	for s := range loggedIn {
		session := fmt.Sprint(s)
		part := g.parts.running[fmt.Sprintf("instance-%d", home(session))]
		if _, err := call(ctx, client, http.MethodPost, part.URL+"/api/login?session="+session, nil); err != nil {
			return fmt.Errorf("log in: %w", err)
		}
	}
	return nil
}

func (g *balancer) proxy(i int, target *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: agenthttp.Transport(g.env.Agent, &http.Transport{MaxIdleConnsPerHost: 64}),
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusUnauthorized {
				g.mu.Lock()
				defer g.mu.Unlock()
				g.lost[r.Request.URL.Query().Get("session")] = true
			}
			return nil
		},
		// An instance that does not answer is not asked again; the next one is.
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			g.mu.Lock()
			g.down[i] = true
			g.mu.Unlock()
			if next := g.choose(r.URL.Query().Get("session")); next != nil {
				next.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}
}

// home is the instance that a session belongs to.
func home(session string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(session)) // a hash never fails
	return int(h.Sum32() % instances)
}

// choose returns the session's instance or the next one that lives.
func (g *balancer) choose(session string) *httputil.ReverseProxy {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range instances {
		if n := (home(session) + i) % instances; !g.down[n] {
			return g.proxies[n]
		}
	}
	return nil
}

func (g *balancer) forward(c *gin.Context) {
	if proxy := g.choose(c.Query("session")); proxy != nil {
		proxy.ServeHTTP(c.Writer, c.Request)
		return
	}
	web.Fail(c, g.env.Agent, &web.Error{Status: http.StatusBadGateway, Message: "no instance answers"})
}

func (g *balancer) kill(i int) error {
	g.mu.Lock()
	g.killed[i] = true
	g.mu.Unlock()
	return g.parts.running[fmt.Sprintf("instance-%d", i)].Kill()
}

func (g *balancer) facts(context.Context) (map[string]float64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return map[string]float64{factSessions: loggedIn, factLoginsLost: float64(len(g.lost))}, nil
}
