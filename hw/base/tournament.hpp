#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "hw/base/bits.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// The due times of numbered members, and at once the smallest of them: each inner node of a
/// complete binary tree bears the smaller of the two below it. A member whose time changes plays
/// again only as far up as that changes a winner.
class Tournament {
public:
    static constexpr std::size_t kNobody = ~std::size_t{0};

    /// For so many members, none of which is due.
    void resize(std::size_t members) {
        leaves_ = power_of_two_from(members);
        nodes_.assign(2 * leaves_, kNever);
    }

    void set(std::size_t member, Picoseconds due_ps) {
        std::size_t node = leaves_ + member;
        nodes_[node] = due_ps;
        for (node /= 2; node > 0; node /= 2) {
            const Picoseconds winner_ps = std::min(nodes_[2 * node], nodes_[2 * node + 1]);
            if (nodes_[node] == winner_ps) return;
            nodes_[node] = winner_ps;
        }
    }

    /// The smallest time of all; kNever when nobody is due.
    [[nodiscard]] Picoseconds next_due_ps() const { return nodes_[1]; }

    /// The first member, from `from` on, that is due at `limit_ps` or earlier; kNobody: none.
    [[nodiscard]] std::size_t first_due(std::size_t from, Picoseconds limit_ps) const {
        if (from >= leaves_) return kNobody;
        std::size_t node = leaves_ + from;
        if (nodes_[node] > limit_ps) {
            // Up to the first subtree on the right that has one.
            while ((node & 1) != 0 || nodes_[node + 1] > limit_ps) {
                node /= 2;
                if (node <= 1) return kNobody;
            }
            node++;
        }
        while (node < leaves_) {
            node *= 2;
            if (nodes_[node] > limit_ps) node++;
        }
        return node - leaves_;
    }

private:
    std::size_t leaves_ = 1;
    std::vector<Picoseconds> nodes_ = {kNever, kNever};
};

}  // namespace doorbell
