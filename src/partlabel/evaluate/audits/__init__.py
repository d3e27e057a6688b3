"""What a single number hides: missing labels, groups, slices, copied rules, wrong labels fitted."""
