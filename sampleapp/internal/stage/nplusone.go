package stage

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"

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
		list = postsOneByOne
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

// postsOneByOne is what an object-relational mapper does when nobody looks.
func postsOneByOne(ctx context.Context, db store.DB, before int64, limit int) ([]store.Post, error) {
	rows, err := db.Query(ctx, `select id, title, body, created_at, author_id
		from posts where id < $1 order by id desc limit $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	posts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p store.Post, err error) {
		err = row.Scan(&p.ID, &p.Title, &p.Body, &p.CreatedAt, &p.Author.ID)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	for i := range posts {
		author := &posts[i].Author
		if err := db.QueryRow(ctx, "select name from users where id = $1", author.ID).Scan(&author.Name); err != nil {
			return nil, fmt.Errorf("read author %d: %w", author.ID, err)
		}
	}
	return posts, nil
}
