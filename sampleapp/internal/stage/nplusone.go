package stage

import (
	"context"
	"math"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// page is how many posts a request lists.
const page = 20

// nPlusOne lists posts with their authors: by a query for each author, or by
// a join.
func nPlusOne(_ context.Context, env Env, variant, part string) (*Set, error) {
	if part != Main {
		return nil, unknownPart(part)
	}
	list := store.ListPosts
	if variant == scenario.Before {
		list = store.ListPostsOneByOne
	}
	engine := env.engine()
	engine.GET("/api/posts", env.handle(func(c *gin.Context) error {
		before, err := web.OptionalID("before", c.Query("before"), math.MaxInt64)
		if err != nil {
			return err
		}
		posts, err := list(c.Request.Context(), env.DB, before, page)
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, gin.H{"posts": posts})
		return nil
	}))
	return &Set{Handler: engine}, nil
}
