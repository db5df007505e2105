package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ListPostsOneByOne is [ListPosts] as an object-relational mapper does it when
// nobody looks: with a query for each author. It is a problem to be found, for
// benchmarks and drills.
func ListPostsOneByOne(ctx context.Context, db DB, before int64, limit int) ([]Post, error) {
	rows, err := db.Query(ctx, `select id, title, body, created_at, author_id
		from posts where id < $1 order by id desc limit $2`, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	posts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Post, err error) {
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
