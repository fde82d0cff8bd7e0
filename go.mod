module github.com/penstock-cloud/penstock

go 1.26.8
