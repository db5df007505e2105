package faults_test

import (
	"os"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

var server *testdb.Server

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(testdb.Main(m, &server))
}
