"""The shapes that pass between the stages: blocks, decoded events, rejections."""
