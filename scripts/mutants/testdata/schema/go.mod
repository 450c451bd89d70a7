module schema

go 1.26
