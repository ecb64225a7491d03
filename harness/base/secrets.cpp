#include "base/secrets.h"

#include <algorithm>
#include <array>
#include <utility>

#include <unistd.h>

namespace lockkeeper {

namespace {

constexpr std::size_t k_shortest_secret = 4;
constexpr std::array<std::string_view, 4> k_secret_names = {"PASSWORD", "SECRET", "TOKEN", "KEY"};
constexpr std::string_view k_mask = "***";

}  // namespace

void Secrets::add(std::string_view name, std::string_view value) {
  std::string capitals(name);
  std::ranges::transform(capitals, capitals.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  if (value.size() < k_shortest_secret) return;
  if (std::ranges::none_of(k_secret_names,
                           [&](std::string_view word) { return capitals.find(word) != std::string::npos; }))
    return;
  m_values.emplace_back(value);
}

Secrets Secrets::of_environment(const std::map<std::string, std::string>& added) {
  Secrets secrets;
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) secrets.add(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const auto& [name, value] : added) secrets.add(name, value);
  return std::move(secrets).with({});
}

Secrets Secrets::with(const std::string& secret) && {
  if (!secret.empty()) m_values.push_back(secret);
  std::ranges::sort(m_values, [](const std::string& one, const std::string& other) {
    return one.size() != other.size() ? one.size() > other.size() : one < other;
  });
  m_values.erase(std::unique(m_values.begin(), m_values.end()), m_values.end());
  return std::move(*this);
}

std::string Secrets::masked(std::string text) const {
  for (const std::string& value : m_values) {
    for (std::size_t at = text.find(value); at != std::string::npos;
         at = text.find(value, at + k_mask.size()))
      text.replace(at, value.size(), k_mask);
  }
  return text;
}

}  // namespace lockkeeper
