# The generated Ruby half reaches the same verifier.

require 'json'
require 'walwarden'

VECTORS = File.expand_path('../../../spec/vectors', __dir__)
CASES = JSON.parse(File.read("#{VECTORS}/cases.json"))

def text(names) = (names || []).map { |name| File.read("#{VECTORS}/#{name}") }
def octets(name) = name && File.binread("#{VECTORS}/#{name}")

def trust(args)
  Walwarden::Trust.new(
    public_keys: text(args['pubkeys']), fingerprints: args['fingerprints'], witnesses: args['witnesses'],
    witness_policy: octets(args['witnessPolicy']), policy: octets(args['policy']),
    since: octets(args['keptCheckpoint']), authorities: text(args['authorities']), level: args['level'],
    as_of: args['asOf'], now: '2030-01-01T00:00:00.000Z'
  )
end

def exit_of(kase)
  Walwarden.verify_file("#{VECTORS}/#{kase['file']}", trust(kase['args'])).exit
rescue Walwarden::WalwardenError::Failed => e
  e.exit
end

CASES.each do |kase|
  found = exit_of(kase)
  raise "#{kase['name']}: #{found} instead of #{kase['exit']}" unless found == kase['exit']
end
puts "uniffi, Ruby: #{CASES.length} vectors"
