"""Networks that turn a masked window into demand quantiles, in parts that compose.

`configs` describes a network without importing torch; `network.build` makes it. Everything else is one part a file.
Legend of the tensor names: B batch, L context steps (or patches), H horizon steps, P past columns, F future columns,
K known columns a decoder reads, S static columns, C columns in general, D width, N heads, E width of one head,
Q quantile levels.
"""
