#pragma once

#include <vector>

namespace lockkeeper::gate_proof {

/// Times of base and head as the usual gates take them: one block after the other. Milliseconds.
struct Blocks {
  std::vector<double> base;
  std::vector<double> head;
};

/// What the usual gates call slower.
struct RivalAlarms {
  bool over_200_percent =
      false;  ///< ratio of the blocks' means (github-action-benchmark's default threshold)
  bool over_110_percent = false;  ///< the same, as strict as most projects dare to set it
  bool mann_whitney = false;      ///< one-sided at 0.01
};

RivalAlarms judge_blocks(const Blocks& blocks);

/// Chance that head is so much slower by accident, were the samples independent: H. B. Mann, D. R. Whitney,
/// Ann. Math. Statist. 18 (1947), the normal approximation with its correction for ties. 1 where a block is
/// empty.
double mann_whitney(const std::vector<double>& base, const std::vector<double>& head);

}  // namespace lockkeeper::gate_proof
