"""The networks, in torch; imported when a prediction or a training needs them."""
