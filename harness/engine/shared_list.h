#pragma once

#include <compare>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace lockkeeper::engine {

/// A list of values that never change and that lists share: several states of a database are alive at once,
/// and hardly differ.
template <typename Value>
class SharedList {
 public:
  using Pointer = std::shared_ptr<const Value>;

  class Iterator {
   public:
    using value_type = Value;
    using reference = const Value&;
    using pointer = const Value*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::random_access_iterator_tag;

    Iterator() = default;
    explicit Iterator(const Pointer* at) : m_at(at) {}
    reference operator*() const { return **m_at; }
    pointer operator->() const { return m_at->get(); }
    reference operator[](difference_type by) const { return *m_at[by]; }
    Iterator& operator++() { return *this += 1; }
    Iterator& operator--() { return *this += -1; }
    Iterator operator++(int) { return std::exchange(*this, *this + 1); }
    Iterator operator--(int) { return std::exchange(*this, *this - 1); }
    Iterator& operator+=(difference_type by) {
      m_at += by;
      return *this;
    }
    Iterator& operator-=(difference_type by) { return *this += -by; }
    friend Iterator operator+(Iterator at, difference_type by) { return at += by; }
    friend Iterator operator+(difference_type by, Iterator at) { return at += by; }
    friend Iterator operator-(Iterator at, difference_type by) { return at -= by; }
    friend difference_type operator-(Iterator a, Iterator b) { return a.m_at - b.m_at; }
    friend auto operator<=>(Iterator a, Iterator b) = default;

   private:
    const Pointer* m_at = nullptr;
  };
  using value_type = Value;
  using iterator = Iterator;
  using const_iterator = Iterator;

  SharedList() = default;
  SharedList(std::initializer_list<Value> values) {
    for (const Value& value : values) push_back(value);
  }

  Iterator begin() const { return Iterator(m_values.data()); }
  Iterator end() const { return Iterator(m_values.data() + m_values.size()); }
  std::size_t size() const { return m_values.size(); }
  bool empty() const { return m_values.empty(); }
  const Value& operator[](std::size_t index) const { return *m_values[index]; }

  /// The value at a place, to be held by another list too.
  const Pointer& shared(std::size_t index) const { return m_values[index]; }
  void share(Pointer value) { m_values.push_back(std::move(value)); }
  void push_back(Value value) { share(std::make_shared<const Value>(std::move(value))); }
  void reserve(std::size_t size) { m_values.reserve(size); }

 private:
  std::vector<Pointer> m_values;
};

}  // namespace lockkeeper::engine
